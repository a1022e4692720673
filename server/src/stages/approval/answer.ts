/** A user who has proven to be one, and the surface it was proven on: null for the administration API, else a channel's name. */
export interface Answerer {
  readonly user: string;
  readonly via: string | null;
}

export interface VitestRun {
  readonly projects: readonly string[];
  /** Parts of the paths of test files; all where there is none. */
  readonly filters: readonly string[];
  /** Whether snapshots are written anew. */
  readonly update: boolean;
}

/** The arguments that vitest takes for a run. Its `--update` takes what follows for its value, so that it gets one of its own. */
export const vitestArguments = ({ projects, filters, update }: VitestRun): string[] => ["run", ...projects.flatMap((project) => ["--project", project]), ...(update ? ["--update=all"] : []), ...filters];

import { Fault, type Isolation } from "@lanyard/contract";
import type { Client } from "./client.ts";
import { holdSession } from "./holding.ts";
import type { RunApi, RunSession } from "./run.ts";

/** The command line's own words; see `lanyard run --help`. */
export interface RunVerbOptions {
  agent?: string;
  onBehalfOf?: string;
  purpose?: string;
  tool?: string[];
  minutes?: string;
  isolation?: string;
  workspace?: string;
  readable?: string[];
  pass?: string[];
}

/** The longest life that was asked for; undefined when none was. Throws Fault `invalid_request`. */
export function minutesOf({ minutes }: RunVerbOptions): number | undefined {
  if (minutes === undefined) return undefined;
  if (!Number.isInteger(Number(minutes))) throw new Fault("invalid_request", `\`--minutes ${minutes}\` is no whole number`);
  return Number(minutes);
}

/** A line that only holds a session acts on nobody's word; until the daemon has said how often it wants to hear of it, this will do. */
const untoldTermMs = 5000;

/** Opens and closes the session of a run over the API; closing uses the session's own token, which may end itself and no other. */
export const runApi = (opener: Client, as: (token: string) => Promise<Client>, options: RunVerbOptions, { isolation = "none", held = false }: { isolation?: Isolation; held?: boolean } = {}): RunApi => ({
  open: async () => {
    const minutes = minutesOf(options);
    const body = {
      ...(options.agent !== undefined && { agent: options.agent }),
      ...(options.onBehalfOf !== undefined && { on_behalf_of: options.onBehalfOf }),
      ...(options.purpose !== undefined && { purpose: options.purpose }),
      ...(options.tool && { tools: options.tool }),
      ...(minutes !== undefined && { minutes }),
      ...(isolation !== "none" && { isolation }),
      ...(held && { held }),
    };
    return opener.call<RunSession>("session_open", { body });
  },
  hold: (session) => holdSession(session, untoldTermMs),
  close: async ({ session, token }) => void (await (await as(token)).call("session_close", { at: { id: session } })),
});

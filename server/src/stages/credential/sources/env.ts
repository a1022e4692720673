import { Fault } from "@lanyard/contract";
import type { SecretSource } from "./source.ts";

/** A variable of the daemon's own environment. */
export const fromEnvironment: SecretSource<"env"> = async ({ variable }, name, { environment }) => {
  const text = environment[variable];
  if (text === undefined || text === "") throw new Fault("no_credential", `the credential \`${name}\` could not be read: the environment variable \`${variable}\` is not set where the daemon runs`);
  return { text, keepUntilMs: null };
};

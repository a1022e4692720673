import { isAbsolute, join } from "node:path";
import { Fault } from "@lanyard/contract";
import { readOwn } from "./file.ts";
import type { SecretSource } from "./source.ts";

/** A credential of the systemd unit (`LoadCredential=`, `SetCredentialEncrypted=`): a file in a folder that only the unit can read. */
export const fromSystemd: SecretSource<"systemd"> = async ({ name: file }, name, { environment }) => {
  const folder = environment["CREDENTIALS_DIRECTORY"];
  if (folder === undefined || !isAbsolute(folder)) {
    throw new Fault("no_credential", `the credential \`${name}\` could not be read: CREDENTIALS_DIRECTORY is not set; give the daemon's unit \`LoadCredential=${file}:...\``);
  }
  return { text: await readOwn(join(folder, file), name, "given"), keepUntilMs: null };
};

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { Fault } from "@lanyard/contract";
import { limits } from "../../../base/limits.ts";
import type { SecretSource } from "./source.ts";

/** A file that nobody else can read, looked at through the handle that it is read with, so that it cannot be another one by then. */
export const fromFile: SecretSource<"file"> = async ({ path }, name) => ({ text: await readOwn(path, name, "ours"), keepUntilMs: null });

/** Reads a small file. `ours`: it must be this user's own and closed to all others; `given`: whoever gave it to this process has seen to that. */
export async function readOwn(path: string, name: string, whose: "ours" | "given"): Promise<string> {
  const wrong = (why: string, cause?: unknown) => new Fault("no_credential", `the credential \`${name}\` could not be read from \`${path}\`: ${why}`, { cause });
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === "ELOOP" ? wrong("it is a symbolic link; name the file itself") : wrong(cause.code ?? "unknown error", cause);
  });
  try {
    const stat = await handle.stat();
    const { uid, mode, size } = stat;
    if (!stat.isFile()) throw wrong("it is no file");
    if (whose === "ours" && uid !== process.getuid?.()) throw wrong("it belongs to somebody else; `chown` it to the user Lanyard runs as");
    if (whose === "ours" && (mode & 0o077) !== 0) throw wrong(`others can reach it (mode ${(mode & 0o777).toString(8).padStart(4, "0")}); \`chmod 600\` it`);
    if (size > limits.credential_bytes.value + 2) throw wrong(`it has ${size} bytes, over the limit credential_bytes (${limits.credential_bytes.value})`);
    const buffer = Buffer.alloc(limits.credential_bytes.value + 2);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}

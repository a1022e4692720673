import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Fault } from "@lanyard/contract";
import { isMap, parseDocument } from "yaml";
import { limits } from "../limits.ts";

/** Where data lies when `data:` is not given. */
const defaultData = ".lanyard";

/** The file's bytes within the limit config_bytes. Throws Fault `invalid_config`. */
export function readConfigBytes(file: string): Uint8Array {
  try {
    const { size } = statSync(file);
    if (size > limits.config_bytes.value) throw tooLarge(file, size);
    return readFileSync(file);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
    throw new Fault("invalid_config", `\`${file}\` could not be read (${code})`, { cause });
  }
}

export const tooLarge = (file: string, size: number): Fault =>
  new Fault("invalid_config", `${file}:1:1: the file has ${size} bytes, over the limit config_bytes (${limits.config_bytes.value})`);

/** The folder that `data:` of a lanyard.yaml names, from the file's own folder. */
export const dataFolder = (file: string, data: string = defaultData): string => resolve(dirname(file), data);

/**
 * The data folder of a lanyard.yaml of which nothing else is read; null when even that is not to be had. Somebody who must stop an agent is not kept
 * from the daemon by a file that somebody else has half edited, and every verb starts sooner.
 */
export function dataFolderIn(path: string): string | null {
  try {
    const file = resolve(path);
    const { contents } = parseDocument(new TextDecoder().decode(readConfigBytes(file)), { logLevel: "silent", uniqueKeys: false });
    const data: unknown = isMap(contents) ? contents.get("data") : null;
    return data === undefined || typeof data === "string" ? dataFolder(file, data) : null;
  } catch {
    return null; // Whoever needs the rest of the file says what is wrong with it.
  }
}

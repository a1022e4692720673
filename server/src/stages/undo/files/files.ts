import { isAbsolute, join, normalize } from "node:path";
import { Fault, isObject, type Json, type JsonObject } from "@lanyard/contract";
import { Anchor } from "../../../base/anchor.ts";
import type { Changed, Image } from "../image.ts";
import { putBack } from "./put-back.ts";
import { snapshot, type FileState, type Top } from "./snapshot.ts";

/** Files and folders as one looks at them again: absolute paths below a root. */
export interface FilesLook {
  readonly root: string;
  readonly tops: readonly { readonly path: string; readonly deep?: boolean; /** Also the folders on the way from the root. */ readonly way?: boolean; /** It must be a folder without links. */ readonly must?: boolean; readonly except?: readonly string[] }[];
}

/** Contents of files, base64 by place. */
export type Contents = Readonly<Record<string, string>>;

const outside = (path: string): Fault => new Fault("irreversible", `\`${path}\` is no absolute path below the folder that the contract names`);

/** Relative to the root. Throws Fault `irreversible` for what is not below it, and for paths that two programs could read differently. */
function below(root: string, path: string): string {
  const plain = path.endsWith("/") && path !== "/" ? path.slice(0, -1) : path;
  if (!isAbsolute(plain) || normalize(plain) !== plain || plain.includes("\0")) throw outside(path);
  if (plain === root) return "";
  if (!plain.startsWith(`${root}/`)) throw outside(path);
  return plain.slice(root.length + 1);
}

function topsOf({ root, tops }: FilesLook): Top[] {
  return tops.flatMap(({ path, deep = false, way = false, must = false, except = [] }) => {
    const at = below(root, path);
    const names = at.split("/");
    const folders = way ? names.slice(1).map((_, length) => ({ path: names.slice(0, length + 1).join("/"), deep: false, must: false, except: [] })) : [];
    return [...folders, { path: at, deep, must, except }];
  });
}

/** Reads the places of a look; places are absolute paths. Throws Fault `irreversible` where they cannot be kept, and where one is a link: a server would act on what it leads to. */
export async function readFiles(look: FilesLook, keep: boolean): Promise<{ image: Image; contents: Contents }> {
  using anchor = new Anchor(look.root);
  const tops = topsOf(look);
  const { states, contents } = await snapshot(anchor, tops, keep);
  for (const { path } of tops) if (states.get(path)?.kind === "link") throw new Fault("irreversible", `\`${join(look.root, path)}\` is a link`);
  return {
    image: Object.fromEntries([...states].map(([path, state]) => [join(look.root, path), state as unknown as Json])),
    contents: Object.fromEntries([...contents].map(([path, bytes]) => [join(look.root, path), bytes.toString("base64")])),
  };
}

/** Puts changed places back. Throws Fault `conflict` at the first that somebody else has changed since. */
export async function restoreFiles(root: string, changed: readonly Changed[], contents: Contents): Promise<void> {
  using anchor = new Anchor(root);
  await putBack(
    anchor,
    changed.map(({ place, before, after }) => {
      const content = Object.hasOwn(contents, place) ? contents[place] : undefined;
      return { path: below(root, place), before: stateOf(before), after: stateOf(after), content: content === undefined ? null : Buffer.from(content, "base64") };
    }),
  );
}

const stateOf = (value: Json): FileState | null => (isObject(value) ? (value as JsonObject as unknown as FileState) : null);

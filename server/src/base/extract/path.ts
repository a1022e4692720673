import { posix } from "node:path";
import type { PathFacts } from "@lanyard/contract";
import { hidden, isOver, listed, mostChars, mostListed } from "./bounded.ts";
import { kindsOfPath } from "./path-kinds.ts";

/** Whether a text is a path by itself, whatever its argument is called. */
export const looksLikePath = (text: string): boolean => text.length <= mostChars && (/^(?:\/|\.{1,2}\/|~\/|[A-Za-z]:[\\/]|\\\\)[^\s]*$/.test(text) || /^file:/i.test(text) || text === ".." || /^\.\.[\\/]/.test(text));

/** Kinds of places that are told by where they lie or what they end in, and guarded by nothing but policy. */
const unguarded: ReadonlySet<string> = new Set(["hidden", "manifest", "settings", "source", "system", "temporary"]);

/** One word that would be a guarded place if it were a path, such as `.cursor/mcp.json`: whatever the argument is called, that is what it will be. */
export const looksGuarded = (text: string): boolean => text.length <= 512 && /[./\\]/.test(text) && !/[\s@]|:\/\//.test(text) && kindsOfPath(posix.resolve("/", text.replaceAll("\\", "/"))).some((kind) => !unguarded.has(kind));

/**
 * What paths mean, each as POSIX has it once `.`, `..` and doubled slashes are worked out; those that are not absolute begin at `root`. Links are followed
 * by whoever opens the file, not here. The class is `plain` only for what every reader takes for the same file: no escapes, no variables, no patterns.
 */
export function pathFacts(texts: readonly string[], root: string | null): PathFacts {
  const all = texts.map((text) => readPath(text, root));
  const paths = new Set(all.map(({ path }) => path).filter((path) => path !== ""));
  const folders = new Set([...paths].flatMap(above));
  const over = isOver(paths) || isOver(folders);
  return {
    class: over || all.some(({ isPlain }) => !isPlain) ? "unknown" : "plain",
    paths: listed(paths),
    common: over ? "" : commonOf([...paths]),
    folders: listed(folders),
    names: listed([...paths].map((path) => posix.basename(path)).filter((name) => name !== "")),
    kinds: [...new Set(all.flatMap(({ path }) => kindsOfPath(path)))].sort(),
  };
}

/** Escapes and their like are undone as far as it goes, so that kinds are told of what could be meant; the class says that it is not known. */
function readPath(text: string, root: string | null): { readonly path: string; readonly isPlain: boolean } {
  if (text.length > mostChars) return { path: "", isPlain: false };
  const plain = spelled(text);
  const resolved = plain === "" ? (root ?? ".") : root !== null && !plain.startsWith("/") && !plain.startsWith("~") && !/^\$|^[A-Za-z]:\//.test(plain) ? posix.resolve(root, plain) : posix.normalize(plain);
  const path = resolved.replace(/^\/+/, "/").replace(/(?<=.)\/$/, "");
  return { path, isPlain: plain === text.normalize("NFC") && !path.startsWith("..") && isOrdinary(text) && text.split("/").length <= mostListed };
}

/**
 * The path of a URL, as the most lenient server would take it: escapes undone, `;x`, `.`, `..` and doubled slashes worked out. The class is `plain` only when no
 * server could take it for another path.
 */
export function urlPathFacts(text: string): PathFacts {
  const path = text.length > mostChars ? "" : posix.normalize(`/${spelled(text)}`).replace(/^\/+/, "/").replace(/(?<=.)\/$/, "");
  const isPlain = path !== "" && !/%(?:2e|2f|5c|25|3b|0|1|7f)|\/\/|[\\;]|\/\.{1,2}(?:\/|$)/i.test(text) && !hidden.test(text) && text.startsWith("/");
  const paths = path === "" ? [] : [path];
  return { class: isPlain ? "plain" : "unknown", paths, common: commonOf(paths), folders: listed(paths.flatMap(above)), names: listed(paths.map((one) => posix.basename(one)).filter((name) => name !== "")), kinds: [] };
}

/** As what is most lenient would read it. */
function spelled(text: string): string {
  let at = text.normalize("NFC");
  for (let layer = 0; layer < 3 && /%[0-9a-f]{2}/i.test(at); layer++) at = at.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"));
  return at
    .replace(/^file:\/\/(?:localhost)?(?=\/)|^file:(?=\/[^/])/i, "")
    .replace(/\0.*$/s, "")
    .replace(/[\p{Cc}\p{Cf}]/gu, "")
    .normalize("NFKC")
    .replace(/[\\\u2044\u2215\u29f8\u29f5]/g, "/")
    .split("/")
    .map((part) => (/^\.+[. ]*$/.test(part) ? part.replace(/ /g, "").slice(0, 2) : part.replace(/[. ]+$/, "").replace(/;.*$/, "")))
    .join("/")
    .trim()
    .normalize("NFC");
}

/** Nothing in it that one program takes as it stands and another for something else. */
function isOrdinary(text: string): boolean {
  if (hidden.test(text) || !text.isWellFormed()) return false;
  if (/^[~]|[\\$`*?|<>"]|%[0-9a-f]{2}|%u[0-9a-f]{4}|%\w+%|~\d(?:\.|\/|$)|^[A-Za-z]:|^[a-z][a-z0-9+.-]*:\/|^\/\/|\/\/$/i.test(text)) return false;
  return text.split("/").every((part) => part.length <= 255 && !/^\s|\s$/.test(part) && !/[^.]\.$|^\.{3,}$/.test(part) && !part.includes(";") && (!/[[\]{}]/.test(part) || routed.test(part)));
}

/** Names that frameworks give to the files of a route; no shell takes more than one letter for them. */
const routed = /^(?:\[{1,2}(?:\.{3})?[\w-]+\]{1,2}(?:\.\w+)*)$/;

/** The path and every folder above it; of one that is deeper than can be listed only itself, for its class is `unknown`. */
function above(path: string): string[] {
  const parts = path.split("/");
  if (parts.length > mostListed) return [path];
  return parts.map((_, index) => parts.slice(0, index + 1).join("/")).filter((folder) => folder !== "");
}

function commonOf(paths: readonly string[]): string {
  const [first, ...others] = paths.map((path) => path.split("/").filter((part, index) => index === 0 || part !== ""));
  if (!first) return "";
  let length = first.length;
  for (const other of others) {
    let same = 0;
    while (same < length && first[same] === other[same]) same++;
    length = same;
  }
  return length === 0 ? "" : `${first.slice(0, length).join("/")}/`;
}

import { extname } from "node:path";
import { Fault, isObject, parseJson } from "@lanyard/contract";
import { parse as parseToml, TomlError } from "smol-toml";
import { z } from "zod";

// What agent programs keep about their MCP servers: Claude Code and Desktop, Cursor, Windsurf, Gemini (`mcpServers`), VS Code (`servers`), Codex
// (`mcp_servers`, TOML). Errors name the place and nothing of what stands there: it may be a secret.

const word = z.string("a text");
const words = z.array(word, "a list of texts");
const values = z.record(z.string(), z.union([word, z.number(), z.boolean()], "a text"), "names with a text each");

const entryShape = z.looseObject(
  {
    type: word.optional(),
    command: word.optional(),
    args: words.optional(),
    env: values.optional(),
    env_vars: words.optional(),
    envFile: word.optional(),
    cwd: word.optional(),
    url: word.optional(),
    httpUrl: word.optional(),
    serverUrl: word.optional(),
    headers: values.optional(),
    http_headers: values.optional(),
    env_http_headers: z.record(z.string(), word, "names with a text each").optional(),
    bearer_token_env_var: word.optional(),
    disabled: z.boolean("true or false").optional(),
    enabled: z.boolean("true or false").optional(),
  },
  "a server with its `command` or `url`",
);

/** A server as a client is told of it. */
export type ClientEntry = z.infer<typeof entryShape>;

const maxServers = 256;
const sections = [["mcpServers"], ["servers"], ["mcp_servers"], ["mcp", "servers"]] as const;

/** The servers of a client's configuration, by the name that they have there. Throws Fault `invalid_config` with `file` and every place that is wrong. */
export function readClientFile(bytes: Uint8Array, file: string): ReadonlyMap<string, ClientEntry> {
  const root = extname(file) === ".toml" ? fromToml(textOf(bytes, file), file) : fromJson(textOf(bytes, file), file);
  for (const path of sections) {
    const found = path.reduce<unknown>((at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined), root);
    if (found === undefined) continue;
    if (!isObject(found)) throw new Fault("invalid_config", `\`${path.join(".")}\` is no object of servers`, { place: file, remedy: "" });
    const entries = Object.entries(found);
    if (entries.length > maxServers) throw new Fault("invalid_config", `it names ${entries.length} MCP servers, more than ${maxServers}`, { place: file, remedy: "" });
    return new Map(entries.map(([name, entry]) => [name, entryOf(entry, [...path, name], file)]));
  }
  throw new Fault("invalid_config", "it names no MCP servers: none of `mcpServers` (Claude, Cursor, Gemini), `servers` (VS Code) and `mcp_servers` (Codex) is there", { place: file, remedy: "" });
}

const shownPlace = (path: readonly PropertyKey[]): string => path.map((step) => String(step).slice(0, 64)).join(".");

function entryOf(entry: unknown, path: readonly string[], file: string): ClientEntry {
  const { success, data, error } = entryShape.safeParse(entry);
  if (success) return data;
  const wrong = error.issues.map((issue) => `\`${shownPlace([...path, ...issue.path])}\` should be ${issue.message}`);
  throw new Fault("invalid_config", wrong.slice(0, 20).join("; "), { place: file, remedy: "" });
}

function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Fault("invalid_config", "it is no text in UTF-8", { cause, place: file, remedy: "" });
  }
}

function fromToml(text: string, file: string): unknown {
  try {
    return parseJson(JSON.stringify(parseToml(text)));
  } catch (cause) {
    const place = cause instanceof TomlError ? `${file}:${cause.line}:${cause.column}` : file;
    throw new Fault("invalid_config", "it is no TOML from here on", { place, remedy: "" });
  }
}

function fromJson(text: string, file: string): unknown {
  try {
    return parseJson(plainJson(text));
  } catch (error) {
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec((error as Error).message) ?? [];
    throw new Fault("invalid_config", "it is no JSON from here on", { place: line === undefined ? file : `${file}:${line}:${column}`, remedy: "" });
  }
}

const blank = (text: string): string => text.replace(/[^\n]/g, " ");

/** Without the comments and trailing commas that clients allow; everything else keeps its line and column. */
const plainJson = (text: string): string =>
  text
    .replace(/^\ufeff/, " ")
    .replace(/"(?:[^"\\\n]|\\.)*"?|\/\/[^\n]*|\/\*(?:(?!\*\/)[\s\S])*(?:\*\/)?/g, (part) => (part.startsWith('"') ? part : blank(part)))
    .replace(/"(?:[^"\\\n]|\\.)*"?|,\s*(?=([}\]])?)/g, (part, closes: string | undefined) => (closes === undefined ? part : blank(part)));

import { codeClasses, type CodeFacts } from "@lanyard/contract";
import { isOver, listed, worstClass } from "../bounded.ts";
import { tokensOf, type CodeToken } from "./tokens.ts";

type CodeClass = CodeFacts["class"];

/** A program of more characters is not read. */
const mostCodeChars = 32 * 1024;

interface Language {
  /** What its tokens are read as. */
  readonly name: "python" | "javascript";
  readonly imports: (tokens: readonly CodeToken[]) => Imports;
  /** Modules that only compute. Any other is `unknown`, but for those below. */
  readonly plain: ReadonlySet<string>;
  readonly network: ReadonlySet<string>;
  /** Modules that start programs, touch files, or load code. */
  readonly exec: ReadonlySet<string>;
  /** Names that are there without an import and reach out. */
  readonly reaching: ReadonlySet<string>;
  /** Names with which code is made from text, or any name is reached by its text. */
  readonly dynamic: ReadonlySet<string>;
}

const set = (names: string): ReadonlySet<string> => new Set(names.split(/\s+/));

const python: Language = {
  name: "python",
  imports: pythonImports,
  plain: set("abc array base64 bisect calendar collections copy csv dataclasses datetime decimal difflib enum fractions functools hashlib heapq html itertools json keyword math numbers operator pprint random re secrets statistics string struct textwrap time typing unicodedata uuid zoneinfo __future__ argparse"),
  network: set("aiohttp botocore boto3 ftplib http httpx imaplib paramiko poplib requests selectors smtplib socket ssl telnetlib urllib urllib3 websockets xmlrpc"),
  exec: set("asyncio atexit builtins code codecs codeop cffi ctypes fcntl gc glob importlib inspect io marshal mmap multiprocessing os pathlib pickle pkgutil platform pty resource runpy shelve shutil signal sqlite3 subprocess sys tempfile threading types zipfile zipimport"),
  reaching: set("open input"),
  dynamic: set("eval exec compile __import__ getattr setattr delattr globals locals vars breakpoint __builtins__ __loader__ __spec__ __subclasses__ __globals__ __class__ __bases__ __base__ __mro__ __dict__ __code__ __getattribute__ __reduce__ __reduce_ex__ __self__ __func__ gi_frame f_globals f_back f_builtins cr_frame tb_frame mro attrgetter methodcaller get_type_hints ForwardRef make_dataclass FileType"),
};

const javascript: Language = {
  name: "javascript",
  imports: javascriptImports,
  plain: set("assert buffer events node:assert node:buffer node:events node:querystring node:string_decoder node:url node:util querystring string_decoder url util"),
  network: set("axios dgram dns got http http2 https net node-fetch node:dgram node:dns node:http node:http2 node:https node:net node:tls tls undici ws"),
  exec: set("bun child_process cluster fs fs/promises module node:child_process node:cluster node:fs node:fs/promises node:inspector node:module node:os node:process node:repl node:sqlite node:v8 node:vm node:wasi node:worker_threads os process repl v8 vm worker_threads"),
  reaching: set("fetch XMLHttpRequest WebSocket EventSource navigator localStorage document window location"),
  dynamic: set("eval Function constructor __proto__ prototype Reflect Proxy globalThis self global process Deno Bun WebAssembly Worker importScripts require module setTimeout setInterval with GeneratorFunction AsyncFunction getPrototypeOf setPrototypeOf getOwnPropertyDescriptor getOwnPropertyDescriptors getOwnPropertyNames defineProperty defineProperties prepareStackTrace __defineGetter__ __lookupGetter__"),
};

const languages: ReadonlyMap<string, Language> = new Map([
  ...["python", "python3", "py"].map((name) => [name, python] as const),
  ...["javascript", "js", "typescript", "ts", "node", "nodejs"].map((name) => [name, javascript] as const),
]);

/** Names of the language itself that reach out by being called; a host that only computes never needs them. */
const reachesNetwork = /^(fetch|XMLHttpRequest|WebSocket|EventSource)$/;

/**
 * What a program does, coarsely and at worst: `plain` only for what imports nothing but modules that compute and names nothing with which more
 * could be had. `language` as the contract states it; for null, and for a language that is not known, the class is `unknown`, and `imports` what it would import as Python
 * or JavaScript. Never throws.
 */
export function codeFacts(text: string, language: string | null): CodeFacts {
  const name = language?.toLowerCase() ?? "";
  const known = languages.get(name);
  const named = name === "" ? [] : [known?.name ?? name];
  if (text.length > mostCodeChars || /[^\P{C}\t\n\r]/u.test(text)) return { class: "unknown", languages: named, imports: [] };
  if (!known) return { class: "unknown", languages: named, imports: listed(importsIn(text)) };
  const tokens = tokensOf(text, known.name);
  if (tokens === null) return { class: "unknown", languages: named, imports: [] };
  const { modules, sure } = known.imports(tokens);
  const found: CodeClass[] = [...modules].map((module) => moduleClass(module, known));
  tokens.forEach(({ kind, text: word }, at) => {
    // `re.compile` is not the language's own `compile`.
    if (kind === "name" && !(known === python && tokens[at - 1]?.text === "." && /^(compile|open|input|eval|exec)$/.test(word))) found.push(nameClass(word, known, modules));
  });
  const hidden = known === python ? reachesThrough(tokens) : computesNames(tokens);
  if (hidden) found.push("unknown");
  if (!sure || isOver(modules)) found.push("unknown");
  return { class: worstClass(codeClasses, ["plain", ...found]) as CodeClass, languages: named, imports: listed(modules) };
}

/** What a program of no known language would import if it were one of those that are read. */
const importsIn = (text: string): ReadonlySet<string> =>
  new Set([python, javascript].flatMap(({ name, imports }) => {
    const tokens = tokensOf(text, name);
    return tokens === null ? [] : [...imports(tokens).modules];
  }));

function moduleClass(module: string, { plain, network, exec }: Language): CodeClass {
  const root = module.startsWith("node:") ? module : (module.split(/[./]/)[0] ?? "");
  if (plain.has(module) || plain.has(root)) return "plain";
  if (network.has(module) || network.has(root)) return "network";
  return exec.has(module) || exec.has(root) ? "exec" : "unknown";
}

function nameClass(word: string, { reaching, dynamic }: Language, modules: ReadonlySet<string>): CodeClass {
  if (word === "require" && modules.size > 0) return "plain"; // Each of its uses was read as an import, or made the text unsure.
  if (dynamic.has(word)) return "unknown";
  if (!reaching.has(word)) return "plain";
  return reachesNetwork.test(word) ? "network" : "exec";
}

/** A module carries those it imports itself: `random._os.system`. */
const reachesThrough = (tokens: readonly CodeToken[]): boolean =>
  tokens.some(({ kind, text }, at) => {
    if (kind !== "name") return false;
    const before = tokens[at - 1]?.text;
    if (before === "." && /^(self|cls)$/.test(tokens[at - 2]?.text ?? "") && !text.startsWith("__")) return false;
    const imported = before === "import" || before === "," || before === "(";
    return (before === "." && (text.startsWith("_") || python.exec.has(text) || python.network.has(text))) || (imported && /^_[a-z]/.test(text) && python.exec.has(text.slice(1)));
  });

/** A member by a name that is put together, or that is a text: `[]["filter"]["constructor"]`. */
const computesNames = (tokens: readonly CodeToken[]): boolean =>
  tokens.some(({ text }, at) => {
    if (text === "]") return tokens[at + 1]?.text === ":";
    const before = tokens[at - 1];
    if (text !== "[" || !before || !(before.kind !== "other" || /^[)\]}.]$/.test(before.text))) return false;
    return !(/^\d$/.test(tokens[at + 1]?.text ?? "") && tokens[at + 2]?.text === "]");
  });

interface Imports {
  readonly modules: ReadonlySet<string>;
  /** False where something is imported that the text does not say. */
  readonly sure: boolean;
}

/** `import a.b as c, d` and `from a import b`. */
function pythonImports(tokens: readonly CodeToken[]): Imports {
  const modules = new Set<string>();
  let sure = true;
  tokens.forEach(({ kind, text }, at) => {
    if (kind !== "name" || (text !== "import" && text !== "from")) return;
    const starts = at === 0 || /^[\n;:]$/.test((tokens[at - 1] as CodeToken).text);
    if (!starts) return; // The `import` of a `from`, a `yield from`, a `raise ... from`.
    for (let next = at + 1; ; next++) {
      let module = "";
      while (tokens[next]?.kind === "name" || tokens[next]?.text === ".") module += (tokens[next++] as CodeToken).text.replace(/^(as|import)$/, " ");
      if (module === "" || module.startsWith(".")) sure = false;
      else modules.add((module.split(" ")[0] as string).replace(/\s.*$/, ""));
      if (text === "from" || tokens[next]?.text !== ",") break;
    }
  });
  return { modules, sure };
}

/** `import ... from "a"`, `export ... from "a"`, `import("a")`, `require("a")`. */
function javascriptImports(tokens: readonly CodeToken[]): Imports {
  const modules = new Set<string>();
  let sure = true;
  tokens.forEach(({ kind, text }, at) => {
    if (kind !== "name" || !/^(import|require|from)$/.test(text) || tokens[at - 1]?.text === ".") return;
    const [first, second, third] = tokens.slice(at + 1, at + 4);
    if (text === "import" && first?.text === ".") return; // import.meta
    if (text !== "require" && first?.kind === "string") modules.add(first.text);
    else if (text !== "from" && first?.text === "(" && second?.kind === "string" && third?.text === ")") modules.add(second.text);
    else if (text === "require" || first?.text === "(") sure = false;
  });
  return { modules, sure };
}

import { foundName, type ShellCall } from "./call.ts";
import { awk, sed } from "./editors.ts";
import { git } from "./git.ts";
import { pathIn } from "./hosts.ts";
import { parseOptions, type OptionSpec } from "./options.ts";
import { maybeOption, type ShellWord } from "./words.ts";

/** Programs that run others, or whose words are a language of their own. */
export const special: ReadonlyMap<string, (call: ShellCall) => void> = new Map([
  ["cd", changeFolder],
  ["pushd", changeFolder],
  ["find", find],
  ["git", git],
  ["sed", sed],
  ...["awk", "gawk", "mawk", "nawk"].map((name) => [name, awk] as const),
  ...["tar", "bsdtar"].map((name) => [name, tar] as const),
  ...["sh", "bash", "dash", "zsh", "ash", "ksh"].map((name) => [name, shell] as const),
  ["xargs", xargs],
  ["env", env],
  ["export", exporting],
  ["sudo", sudo],
  ["doas", sudo],
  ["command", command],
  ["busybox", (call) => behind(call, { flags: "", valued: "", long: [] })],
  ["builtin", (call) => behind(call, { flags: "", valued: "", long: [] })],
  ["nohup", (call) => behind(call, { flags: "", valued: "", long: [] })],
  ["setsid", (call) => behind(call, { flags: "cfw", valued: "", long: [] })],
  ["nice", (call) => behind(call, { flags: "", valued: "n", long: ["--adjustment="] })],
  ["ionice", (call) => behind(call, { flags: "t", valued: "cn", long: [] })],
  ["stdbuf", (call) => behind(call, { flags: "", valued: "ioe", long: [] })],
  ["time", (call) => behind(call, { flags: "pv", valued: "", long: [] })],
  ["timeout", (call) => behind(call, { flags: "v", valued: "ks", long: ["--foreground", "--preserve-status", "--signal=", "--kill-after="] }, 1)],
]);

/** Words up to the first that is no option, which is where the inner program begins. */
function ownOptions(words: readonly ShellWord[], spec: OptionSpec): { readonly known: boolean; readonly rest: readonly ShellWord[] } {
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as ShellWord;
    if (word.text === "--" && word.kind === "sure") return { known: true, rest: words.slice(at + 1) };
    if (!maybeOption(word)) return { known: true, rest: words.slice(at) };
    const one = parseOptions([word], spec);
    if (word.kind !== "sure") return { known: false, rest: words.slice(at) };
    const takesNext = !one.known && parseOptions([word, { text: "0", kind: "sure" }], spec).known;
    if (!one.known && !takesNext) return { known: false, rest: words.slice(at + 1) };
    if (takesNext) at += 1;
  }
  return { known: true, rest: [] };
}

/** A program behind another, after options and so many operands of the first. */
function behind(call: ShellCall, spec: OptionSpec, operands = 0): void {
  const { known, rest } = ownOptions(call.words, spec);
  if (!known) call.reading.raise("unknown");
  if (rest.length > operands) call.run(rest.slice(operands));
}

function changeFolder({ words, reading }: ShellCall): void {
  const [to, ...more] = words;
  if (!to) return reading.path("~");
  if (to.kind !== "sure" || more.length > 0 || /^[-+]/.test(to.text)) return reading.raise("unknown");
  reading.enter(to.text);
}

/** `command -v name` only tells where it is. */
function command(call: ShellCall): void {
  if (/^-[vV]$/.test(call.words[0]?.text ?? "")) return;
  behind(call, { flags: "p", valued: "", long: [] });
}

const sudoOptions: OptionSpec = { flags: "nEHkKb", valued: "ugC", long: [] };
/** Programs that tell names, sizes and states, and not what is in a file; and those that tell it of logs. */
const tellsStates = new Set("df docker dmesg du file find free id iostat journalctl last ls lsblk lsof mailq mount netstat nginx pgrep postqueue ps quota service ss stat systemctl tree uptime vmstat who".split(" "));
const tellsContents = new Set("cat egrep grep head tail wc".split(" "));
const log = /^\/var\/log\/(?!.*\.\.)/;

/** Whoever only looks does no more as somebody else, but for what is kept from everybody. */
function sudo(call: ShellCall): void {
  const { words, reading } = call;
  const { known, rest } = ownOptions(words, sudoOptions);
  if (!known) reading.raise("unknown");
  const own = reading.classOf(() => {
    if (rest.length > 0) call.run(rest);
  });
  const [program = "", ...told] = rest.map(({ text }) => text);
  const isLog = tellsContents.has(program) && told.some((text) => log.test(text)) && rest.every(({ text, kind }) => kind === "sure" && (!text.includes("/") || log.test(text)));
  if (own !== "read" || !(tellsStates.has(program) || isLog)) reading.raise("exec");
}

/** Alone it prints; before a program it sets variables, which can make any program do anything, but for a few. */
function env(call: ShellCall): void {
  const { known, rest } = ownOptions(call.words, { flags: "i0v", valued: "u", long: ["--ignore-environment", "--null", "--unset="] });
  if (!known) call.reading.raise("unknown");
  const from = rest.findIndex(({ text, kind }) => kind !== "sure" || !/^\w+=/.test(text));
  const settings = from < 0 ? rest : rest.slice(0, from);
  if (settings.some(({ text }) => !harmlessSetting.test(text))) call.reading.raise("unknown");
  if (from >= 0) call.run(rest.slice(from));
}

const harmlessSetting = /^(LC_\w+|LANG|TZ|NO_COLOR|FORCE_COLOR|TERM|COLUMNS|LINES|CI|NODE_ENV|DEBUG|VERBOSE)=[\w.:/ -]*$/;

function exporting({ words, reading }: ShellCall): void {
  if (!words.every(({ text, kind }) => kind === "sure" && harmlessSetting.test(text))) reading.raise("unknown");
}

/** `sh -c text` is the text; any other use runs a file, or whatever comes in. */
function shell(call: ShellCall): void {
  const { words, reading } = call;
  const at = words.findIndex(({ text }) => /^-[elux]*c$/.test(text));
  const before = at < 0 ? words : words.slice(0, at);
  const text = at < 0 ? undefined : words[at + 1];
  for (const word of words) if (word !== text && word.kind === "sure" && pathIn(word.text)) reading.path(word.text);
  if (text?.kind !== "sure" || !before.every(({ text: option, kind }) => kind === "sure" && /^-[eux]+$/.test(option))) return reading.raise(words.some(({ kind }) => kind === "open") ? "unknown" : "exec");
  call.script(text.text);
}

function xargs(call: ShellCall): void {
  const { reading, fed } = call;
  const { known, rest } = ownOptions(call.words, { flags: "0rtx", valued: "IdELnPs", long: ["--null", "--no-run-if-empty", "--max-args=", "--max-procs=", "--delimiter=", "--verbose", "--replace="] });
  const place = call.words.findIndex(({ text }) => text.startsWith("-I"));
  const mark = place < 0 ? null : call.words[place]?.text === "-I" ? (call.words[place + 1]?.text ?? null) : (call.words[place]?.text.slice(2) ?? null);
  if (!known || !fed || call.words.some(({ text }) => text.startsWith("--replace") || text.startsWith("-i"))) reading.raise("unknown");
  const name: ShellWord = fed ?? { text: "", kind: "open" };
  if (rest.length === 0) return;
  call.run(mark === null || mark === "" ? [...rest, name] : rest.map((word) => replaced(word, mark, name)));
}

/** Part of a word is not all of it: what stands around the name may lead elsewhere. */
const replaced = (word: ShellWord, mark: string, name: ShellWord): ShellWord => (word.text === mark ? name : word.text.includes(mark) ? { text: word.text, kind: "open" } : word);

const findTests =
  /^-(name|iname|path|ipath|wholename|regex|iregex|type|xtype|size|mtime|mmin|atime|amin|ctime|cmin|newer\w*|maxdepth|mindepth|perm|user|group|uid|gid|links|inum|samefile|lname|ilname|regextype|fstype|printf|used)$/;
const findFlags = /^(-(not|a|and|o|or|print|print0|ls|prune|quit|empty|readable|writable|executable|follow|depth|mount|xdev|true|false|daystart|nouser|nogroup|noleaf|H|L|P|warn|nowarn)|!|\(|\)|,)$/;

/** Roots, then an expression: `-exec` runs others, and a few actions write. */
function find(call: ShellCall): void {
  const { words, reading } = call;
  let roots = 0;
  for (let at = 0; at < words.length; at++) {
    const { text, kind } = words[at] as ShellWord;
    if (kind === "open" || (kind === "glob" && maybeOption({ text, kind }))) reading.raise("unknown");
    if (/^-(exec|execdir|ok|okdir)$/.test(text)) at = inner(call, at + 1);
    else if (text === "-delete") {
      reading.raise("write");
      reading.destructive = true;
    } else if (/^-(fprint0?|fls)$/.test(text) || text === "-fprintf") written(call, words[++at]);
    else if (findTests.test(text)) {
      const value = words[++at];
      if (value?.kind !== "sure") reading.raise("unknown");
      if (/^-(newer|samefile)/.test(text) && value) reading.path(value.text);
    } else if (!findFlags.test(text)) {
      if (/^[-!(),]/.test(text)) reading.raise("unknown");
      else reading.path(text);
      roots += 1;
    }
  }
  if (roots === 0) reading.path(".");
}

function written({ reading }: ShellCall, target: ShellWord | undefined): void {
  reading.raise(target?.kind === "sure" ? "write" : "unknown");
  if (target) reading.path(target.text);
}

/** The program of an `-exec`; gives the place of its end. */
function inner(call: ShellCall, from: number): number {
  const { words } = call;
  const length = words.slice(from).findIndex(({ text }, at, all) => text === ";" || (text === "+" && all[at - 1]?.text === "{}"));
  if (length < 0) call.reading.raise("unknown");
  const program = length < 0 ? words.slice(from) : words.slice(from, from + length);
  call.run(program.map((word) => replaced(word, "{}", foundName)));
  return length < 0 ? words.length : from + length;
}

/** Lists, packs or unpacks; options that run programs or reach other machines are not let through. */
function tar(call: ShellCall): void {
  const { reading, words } = call;
  const [first, ...rest] = words;
  const dashed = first && first.kind === "sure" && /^[a-zA-Z]+$/.test(first.text) ? [{ ...first, text: `-${first.text}` }, ...rest] : words;
  const long = ["--list", "--extract", "--create", "--file=", "--gzip", "--verbose", "--directory=", "--exclude=", "--strip-components=", "--no-same-owner", "--bzip2", "--xz", "--zstd", "--to-stdout", "--wildcards"];
  const { known, options, values, operands } = parseOptions(dashed, { flags: "tcxrvzjJpkmOahP", valued: "fCX", long });
  const lists = options.has("-t") || options.has("--list");
  const file = values.find(({ option }) => option === "-f" || option === "--file");
  if (!known || (file && /:/.test(file.value.text)) || [...operands, ...values.map(({ value }) => value)].some(({ kind }) => kind === "open")) reading.raise("unknown");
  reading.raise(lists && !options.has("-x") && !options.has("-c") && !options.has("-r") ? "read" : "write");
  if (options.has("-P")) reading.raise("unknown");
  for (const word of [...operands, ...values.filter(({ option }) => !/exclude|strip|X/.test(option)).map(({ value }) => value)]) reading.path(word.text);
}

import type { ShellCall } from "./call.ts";
import { special } from "./special.ts";
import { hostOf, pathIn, urlsIn } from "./hosts.ts";
import { onlyGets, onlyTries } from "./getting.ts";
import { onlyLooks } from "./looking.ts";
import { parseOptions, type ParsedOptions } from "./options.ts";
import { isOfProject, packagesOf } from "./project.ts";
import { executors, programs, serviceClients, type ShellProgram } from "./programs.ts";
import type { ShellWord } from "./words.ts";

/** Words of programs and of their verbs after which something is gone. */
const gone = /(^|[^\w-])(destroy|delete\w*|terminate\w*|remove|rm|rb|rmi|prune|purge|drop\w*|wipe\w*|unpublish|erase|truncate|flushall|flushdb|rmtree\w*|rimraf|unlink\w*|rmdir\w*|mkfs\S*|shred)([^\w]|$)/i;

/** Words with which what is here goes to where everybody gets it. */
const publishing = /^(?:publish|unpublish|upload|yank|deprecate|dist-tag|adduser|login)$/;

/** Says what a program with these words does. */
export function judge(call: ShellCall): void {
  const { name, words, reading } = call;
  const own = special.get(name);
  if (own) return own(call);
  if (onlyGets(call) || onlyTries(call)) return;
  const program = programs.get(name);
  if (program) return listedProgram(call, program);
  if (isOfProject(call)) return reading.raise("build");
  const packages = packagesOf(call);
  if (packages !== null) return reading.install(packages);
  if (onlyLooks(call)) return;
  for (const { text } of words) everythingIn(text, call);
  if (words.some(({ text }) => gone.test(text)) || /^(mkfs|mke2fs|fdisk|parted|wipefs|dd|shutdown|reboot|halt|poweroff)/.test(name)) reading.destructive = true;
  if (words.some(({ text }) => publishing.test(text)) || /^(?:push|deploy|owner|access)$/.test(words[0]?.text ?? "")) reading.hosts.add(`(${name})`);
  if (serviceClients.has(name)) {
    reading.hosts.add(`(${name})`);
    return reading.raise(words.some(({ kind }) => kind === "open") ? "unknown" : words.some(({ text }) => /^(exec|run|debug|cp|ssh|api|alias|extension|plugin|scp|proxy|execute-command)$/.test(text)) ? "exec" : "network");
  }
  reading.raise(executors.has(name) || name.startsWith("mkfs.") ? "exec" : "unknown");
}

function listedProgram(call: ShellCall, program: ShellProgram): void {
  const { reading, words } = call;
  const parsed = parseOptions(words, program);
  reading.raise(program.class);
  if (program.destructive || parsed.options.has("--delete")) reading.destructive = true;
  if (!parsed.known || words.some(({ text }) => /^--files?0?-?f/.test(text))) reading.raise("unknown");
  if (program.class === "network") return network(call, parsed);
  if (program.operands === "texts") return telling(call, parsed);
  for (const { value } of parsed.values) addPath(call, value, false);
  for (const option of words.filter(({ text }) => /^--?[\w-]+=/.test(text))) addPath(call, option, false);
  const patternGiven = ["-e", "-f", "--regexp", "--file", "--files", "--reference"].some((option) => parsed.options.has(option));
  const [first, ...rest] = parsed.operands;
  const files = program.operands === "pattern" && !patternGiven ? rest : parsed.operands;
  if (program.operands === "pattern" && !patternGiven && program.class === "write" && first?.kind !== "sure") reading.raise("unknown");
  if (program.operands === "one" && files.length > 1) reading.raise("unknown");
  for (const file of files) addPath(call, file, true);
}

/** Programs whose words mean nothing outside; but a few of them have a second use. */
function telling({ name, words, reading }: ShellCall, { operands }: ParsedOptions): void {
  if (name === "date" && operands.some(({ text, kind }) => kind !== "sure" || !text.startsWith("+"))) reading.raise("unknown");
  if (name === "hostname" && operands.length > 0) reading.raise("unknown");
  if ((name === "test" || name === "[") && words.some(({ text }) => /^-[vR]$/.test(text))) reading.raise("unknown");
  if (name === "test" || name === "[") for (const { text } of words) if (/^[/~.]/.test(text) && text !== ".") reading.path(text);
}

function network(call: ShellCall, { operands, values, options }: ParsedOptions): void {
  const { name, words, reading } = call;
  if (words.some(({ kind }) => kind !== "sure")) reading.raise("unknown");
  const copies = name === "scp" || name === "rsync";
  const before = reading.hosts.size;
  for (const operand of [...operands, ...values.filter(({ option }) => option === "--url").map(({ value }) => value)]) {
    if (/^(\+|\d+(-\d+)?$)/.test(operand.text)) continue;
    if (copies && !/^[^/]*:|^rsync:/.test(operand.text)) {
      reading.path(operand.text);
      continue;
    }
    const file = /^file:/i.test(operand.text) ? pathIn(operand.text) : null;
    const host = hostOf(operand.kind === "sure" ? { ...operand, text: operand.text.replace(/^@/, "") } : operand);
    if (file) reading.path(file);
    else if (host) reading.hosts.add(host);
    else reading.raise("unknown");
  }
  if (reading.hosts.size === before && !copies && operands.length === 0) reading.raise("unknown");
  for (const path of values.flatMap(({ option, value }) => filesOfValue(option, value.text))) {
    if (path === null) reading.raise("unknown");
    else reading.path(path);
  }
  if (options.has("-O") && name === "curl") reading.path(".");
}

/** Files that curl, wget and the like read or write because of an option's value; null where that is not known. */
function filesOfValue(option: string, value: string): readonly (string | null)[] {
  if (/^(-[oTOP]|--(output|upload-file|output-document|directory-prefix|post-file|body-file))$/.test(option)) return [value];
  if (/^(-d|-H|--(data|data-binary|json|header))$/.test(option)) return value.startsWith("@") ? [value.slice(1)] : [];
  if (option === "--data-urlencode") return /^[^=]*@/.test(value) ? [value.slice(value.indexOf("@") + 1)] : [];
  if (/^(-F|--form)$/.test(option)) return [...value.matchAll(/(?:^|[=,;])[@<]"?([^;,"]*)/g)].map(([, file]) => file ?? null);
  if (/^(-b|--cookie)$/.test(option)) return value.includes("=") ? [] : [value];
  return /^(-w|--write-out)$/.test(option) && /^@|%output\{/.test(value) ? [null] : [];
}

/** Of a program that is not looked into, whatever may be a file or a host is named. */
function everythingIn(text: string, { name, reading }: ShellCall): void {
  if (name === "dd" && text.includes("=")) reading.path(text.slice(text.indexOf("=") + 1));
  for (const url of urlsIn(text)) {
    const host = hostOf({ text: url, kind: "sure" });
    if (host) reading.hosts.add(host);
  }
  const path = pathIn(text);
  if (path) reading.path(path);
}

function addPath({ reading }: ShellCall, { text, kind }: ShellWord, always: boolean): void {
  const path = pathIn(text) ?? (always ? text : null);
  if (kind === "open") reading.raise("unknown");
  else if (path !== null) reading.path(path);
}

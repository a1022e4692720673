import { forEachChild, parse, type Command, type ParsedScript, type Redirection, type SyntaxNode, type Word } from "unbash";
import { foundName, listedName, type ShellCall } from "./call.ts";
import { judge } from "./judge.ts";
import type { ShellReading } from "./reading.ts";
import { wordsOf, type ShellWord } from "./words.ts";

/** Scripts within scripts, and nodes within nodes, that are looked through. */
const mostScripts = 6;
const mostDepth = 200;

/** Programs that let through what they are fed while they have no more operands than these. */
const passing = new Map([...["sort", "uniq", "head", "tail"].map((name) => [name, 0] as const), ["grep", 1] as const]);

/** Variables that change how programs look, not what they do. Names in lower case are of the script alone, but for those that say through whom others are reached, or what `npm` does. */
const harmlessVariables = /^(?!\w*_proxy$|npm_)([a-z]\w*|LC_\w+|LANG|TZ|NO_COLOR|FORCE_COLOR|TERM|COLUMNS|LINES|CI|NODE_ENV|DEBUG|VERBOSE)$/;

interface Place {
  readonly reading: ShellReading;
  readonly known: ReadonlyMap<string, readonly ShellWord[]>;
  readonly scripts: number;
  readonly depth: number;
  readonly fed: ShellWord | null;
  /** Variables that one place of the script sets. */
  readonly once: ReadonlySet<string>;
  /** Nobody knows whether it runs, or how often. */
  readonly conditional: boolean;
}

/** Reads a text as a script of bash. Whatever is not understood makes it `unknown`. */
export function readScript(text: string, reading: ShellReading, scripts = 0): void {
  if (scripts > mostScripts) return reading.raise("unknown");
  const script = parse(text);
  const counts = new Map<string, number>();
  countAssignments(script, counts, 0);
  const once = new Set([...counts].flatMap(([name, count]) => (count === 1 ? [name] : [])));
  visitScript(script, { reading, known: new Map(), once, scripts, depth: 0, fed: null, conditional: false });
}

function countAssignments(node: SyntaxNode, counts: Map<string, number>, depth: number): void {
  const name = node.type === "Assignment" ? node.name : node.type === "For" ? node.name.value : null;
  if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
  if (depth < mostDepth) forEachChild(node, (child) => countAssignments(child, counts, depth + 1));
}

function visitScript(script: ParsedScript | undefined, place: Place): void {
  if (!script || (script.errors ?? []).length > 0 || script.shebang !== undefined) place.reading.raise("unknown");
  let inside = place;
  for (const statement of script?.commands ?? []) {
    visit(statement, inside);
    inside = afterStatement(statement.command, inside);
  }
}

/** What is assigned at the top, once and for certain, is known from there on. */
function afterStatement(node: SyntaxNode, place: Place): Place {
  if (node.type !== "Command" || node.name || place.conditional) return place;
  const known = new Map(place.known);
  for (const assignment of node.prefix) {
    if (assignment.type !== "Assignment") continue;
    const words = assignment.value.type === "Word" && !assignment.append && !assignment.index && place.once.has(assignment.name) ? wordsOf(assignment.value, known) : [];
    known.set(assignment.name, words.length > 0 && words.every(({ kind }) => kind === "sure") ? words : [{ text: "", kind: "open" }]);
  }
  return { ...place, known };
}

function visit(node: SyntaxNode, at: Place): void {
  if (at.depth > mostDepth) return at.reading.raise("unknown");
  at.reading.step();
  const place = { ...at, depth: at.depth + 1 };
  const { reading } = place;
  switch (node.type) {
    case "Script":
      return visitScript(node, place);
    case "Command":
      return command(node, place);
    case "Pipeline":
      return pipeline(node.commands, place);
    case "For":
      return loop(node.name, node.wordlist, node.body, place);
    case "If":
    case "While":
    case "Case":
    case "AndOr":
    case "Subshell":
    case "BraceGroup":
      return forEachChild(node, (child) => visit(child, { ...place, conditional: true }));
    case "Redirect":
    case "HereDoc":
    case "HereString":
      return redirection(node, place);
    case "Assignment":
      if (!harmlessVariables.test(node.name) || node.index) reading.raise("unknown");
      return forEachChild(node, (child) => visit(child, place));
    case "CommandExpansion":
    case "ProcessSubstitution":
      return visitScript(node.script, { ...place, conditional: true });
    case "ParameterExpansion":
      if (node.prefix === "!" || node.index || /^(Transform|Slice|Unknown|Names)$/.test(node.operation?.type ?? "") || node.operation?.operator.endsWith("=")) reading.raise("unknown");
      return forEachChild(node, (child) => visit(child, place));
    case "TestUnary":
      if (/^-[vRN]$/.test(node.operator)) reading.raise("unknown");
      return forEachChild(node, (child) => visit(child, place));
    case "TestBinary":
      if (/^-(eq|ne|lt|le|gt|ge)$/.test(node.operator)) reading.raise("unknown");
      return forEachChild(node, (child) => visit(child, place));
    case "ArithmeticWord":
      if (!/^\d+$/.test(node.value)) reading.raise("unknown");
      return;
    case "Function":
    case "Coproc":
    case "Select":
    case "ArithmeticFor":
    case "ArithmeticCommand":
    case "ArithmeticCommandExpansion":
      reading.raise("unknown");
      return forEachChild(node, (child) => visit(child, { ...place, conditional: true }));
    default:
      return forEachChild(node, (child) => visit(child, place));
  }
}

function pipeline(commands: readonly SyntaxNode[], place: Place): void {
  let fed: ShellWord | null = null;
  for (const part of commands) {
    visit(part, { ...place, fed, conditional: true });
    fed = part.type === "Command" && part.name && part.redirects.length === 0 ? namesFrom(argv(part, place), fed) : null;
  }
}

/** What a program hands on when it prints names of files below the paths it was given, or lets such names through. */
function namesFrom([called, ...args]: readonly ShellWord[], fed: ShellWord | null): ShellWord | null {
  const texts = args.map(({ text }) => text);
  if (called?.kind !== "sure" || args.some(({ kind }) => kind === "open")) return null;
  if (called.text === "find") return texts.some((text) => /^-(f?printf|f?ls|exec|ok)/.test(text)) ? null : foundName;
  if (called.text === "ls" || (called.text === "git" && texts[0] === "ls-files")) return listedName;
  if (/^e?grep$|^rg$/.test(called.text) && texts.some((text) => /^-\w*l\w*$|^--files/.test(text))) return listedName;
  const operands = texts.filter((text) => !/^-|^\d+$/.test(text)).length;
  return operands <= (passing.get(called.text) ?? -1) && !texts.some((text) => /^-\w*[fer]|^--/.test(text)) ? fed : null;
}

function loop(name: Word, list: readonly Word[] | undefined, body: SyntaxNode, place: Place): void {
  for (const word of list ?? []) visit(word, place);
  if (!harmlessVariables.test(name.value) || !list) place.reading.raise("unknown");
  const values = (list ?? []).flatMap((word) => wordsOf(word, place.known));
  const certain = place.once.has(name.value) && values.length <= 64 && values.every(({ kind }) => kind !== "open");
  visit(body, { ...place, conditional: true, known: new Map([...place.known, [name.value, certain ? values : [{ text: "", kind: "open" }]]]) });
}

const argv = (node: Command, { known, reading }: Place): readonly ShellWord[] =>
  [...(node.name ? [node.name] : []), ...node.args].flatMap((word) => {
    const words = word.type === "Word" ? wordsOf(word, known) : [{ text: word.text, kind: "open" as const }];
    reading.step(words.length);
    return words;
  });

function command(node: Command, place: Place): void {
  for (const child of [...node.prefix, ...node.suffix]) visit(child, place);
  if (!node.name) return;
  visit(node.name, place);
  runWords(argv(node, place), place);
}

/** Programs that a project keeps in its own folder, by whom they stand for. */
const wrappers: ReadonlyMap<string, string> = new Map([["./gradlew", "gradle"], ["./mvnw", "mvn"]]);

/** Runs words as a program. Only a name that stands there as it is says which. */
export function runWords(words: readonly ShellWord[], place: Pick<Place, "reading" | "scripts" | "fed">): void {
  const [called, ...args] = words;
  const { reading, scripts, fed } = place;
  if (scripts > mostScripts) return reading.raise("unknown");
  reading.step(words.length);
  const wrapped = called?.kind === "sure" ? wrappers.get(called.text) : undefined;
  const name = wrapped ?? called?.text.split("/").at(-1) ?? "";
  if (called?.kind !== "sure" || !/^[\w.+[:-]+$/.test(name)) reading.raise("unknown");
  if (wrapped === undefined && called?.text.includes("/") && !/^\/(usr\/)?(local\/)?s?bin\/[^/]+$/.test(called.text)) {
    reading.raise("exec");
    if (called.kind === "sure") reading.path(called.text);
  }
  if (name !== "") reading.programs.add(name);
  const call: ShellCall = {
    name,
    words: args,
    reading,
    fed,
    run: (inner) => runWords(inner, { reading, fed: null, scripts: scripts + 1 }),
    script: (text) => readScript(text, reading, scripts + 1),
  };
  judge(call);
}

function redirection(node: Redirection, place: Place): void {
  const { reading } = place;
  forEachChild(node, (child) => visit(child, place));
  if (node.type !== "Redirect") return;
  if (node.descriptor?.type === "FileDescriptorVariable" || !node.target) return reading.raise("unknown");
  const duplicates = /^[<>]&$/.test(node.operator);
  for (const { text, kind } of wordsOf(node.target, place.known)) {
    if (duplicates && /^(\d+-?|-)$/.test(text)) continue;
    if (/^\/dev\/(null|stdout|stderr|tty|stdin)$/.test(text)) continue;
    const socket = /^\/dev\/(?:tcp|udp)\/([^/]+)\//.exec(text)?.[1];
    if (socket) {
      reading.hosts.add(socket.toLowerCase());
      reading.raise("network");
    }
    if (node.operator !== "<") reading.rewrite(text);
    if (kind === "sure" && !text.includes("..//")) reading.path(text);
    else reading.raise("unknown");
  }
}

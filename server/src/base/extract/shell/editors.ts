import type { ShellCall } from "./call.ts";
import { parseOptions } from "./options.ts";

const address = String.raw`(?:\d+(?:~\d+)?|\$|\/(?:[^\/\\\n]|\\.)*\/I?)`;
const substitution = String.raw`s([\/|,#@!:])(?:(?!\1)[^\\\n]|\\.)*\1(?:(?!\1)[^\\\n]|\\.)*\1[gpiI\d]*`;
const sedCommand = new RegExp(String.raw`\s*(?:${address}(?:\s*,\s*(?:${address}|\+\d+))?)?\s*!?\s*(?:${substitution}|[pdqQ=PDnNhHgGxl]|q\d+|\}|\{(?=[^]))\s*(?:[;\n]|(?=\})|(?<=\{\s*)|$)`, "y");

/** Only commands that print and change lines: none that runs, reads or writes a file. Each command is read once. */
function plainSed(script: string): boolean {
  if (script.length > 2000) return false;
  for (let at = 0; at < script.length; at = sedCommand.lastIndex) {
    sedCommand.lastIndex = at;
    const found = sedCommand.exec(script);
    if (!found || found[0] === "") return false;
  }
  return true;
}

export function sed({ words, reading }: ShellCall): void {
  const { known, options, values, operands } = parseOptions(words, {
    flags: "nErsuzi",
    valued: "e",
    long: ["--quiet", "--silent", "--regexp-extended", "--expression=", "--in-place", "--null-data", "--separate", "--unbuffered", "--posix", "--debug"],
  });
  const given = values.filter(({ option }) => option === "-e" || option === "--expression").map(({ value }) => value);
  const scripts = given.length > 0 ? given : operands.slice(0, 1);
  // A suffix after -i or --in-place is a file that is written beside the first; `*` in it leads to another folder.
  const inPlace = options.has("-i") || options.has("--in-place");
  const suffix = words.some(({ text }) => /^-[nErsuz]*i.|^--in-place=/.test(text));
  if (!known || suffix || scripts.length === 0 || !scripts.every(({ text, kind }) => kind === "sure" && plainSed(text))) reading.raise("unknown");
  if (inPlace) reading.raise("write");
  for (const { text, kind } of given.length > 0 ? operands : operands.slice(1)) {
    if (kind === "open") reading.raise("unknown");
    else if (inPlace) reading.rewrite(text);
    else reading.path(text);
  }
}

/** Programs that print columns: no pipe, no file, no other program. Strings are left out only where no comment or pattern can hide a quote. */
function plainAwk(program: string): boolean {
  const code = /[/#]/.test(program) ? program : program.replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
  return !/\bsystem\b|\bgetline\b|@|\bclose\b|\|(?!\|)(?<!\|\|)|\bARGV\b|\bARGC\b|\bENVIRON\b/.test(code) && !(code.includes(">") && /\bprintf?\b/.test(code));
}

export function awk({ words, reading }: ShellCall): void {
  const { known, operands, values } = parseOptions(words, { flags: "", valued: "Fv", long: ["--field-separator=", "--assign="] });
  const [program, ...files] = operands;
  if (!known || program?.kind !== "sure" || !plainAwk(program.text) || values.some(({ value }) => value.kind !== "sure")) reading.raise(program?.kind === "sure" && /\bsystem\b/.test(program.text) ? "exec" : "unknown");
  for (const { text, kind } of files) {
    if (kind === "open") reading.raise("unknown");
    else if (!/^[A-Za-z_]\w*=/.test(text)) reading.path(text);
  }
}

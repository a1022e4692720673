import { maxTextChars } from "../../base/config/template.ts";
import { Classifier } from "../../base/labels/classifier.ts";

// Which values of a client's configuration may be written down again. What is not plainly harmless is taken for a secret.

const telling = /key|token|secret|pass|pwd|auth|cred|cookie|session|signature|private|dsn|connection|bearer|(?:^|[_-])pat(?:$|[_-])/i;
const harmless = /^(?:|true|false|yes|no|on|off|\d{1,6}|debug|info|warn|warning|error|trace|silent|production|development|test|staging|stdio|utf-?8|c\.utf-8|(?:~|\.{1,2})?\/[\w./@ -]{0,255}|https?:\/\/[a-z0-9.-]{1,100}(?::\d{1,5})?\/?|application\/json|text\/event-stream)$/i;
const classifier = new Classifier();

/** The ways in which clients point to a variable or to what a person types in. */
const pointer = /\$\{(?:env:|input:)?([A-Za-z_][A-Za-z0-9_-]*)(?::-[^}]*)?\}/g;

const variableName = (text: string): string => text.toUpperCase().replace(/[^A-Z0-9]+/g, "_").replace(/^(?=\d|$)/, "_").slice(0, 100);

const isSecret = (text: string, name: string): boolean => classifier.detect(text, name).includes("secret");

/** Variables that stand for values, each for one value. */
export class Variables {
  readonly #values = new Map<string, string | null>();

  /** A variable that the reader sets already. */
  known(name: string): string {
    this.#values.set(name, this.#values.get(name) ?? null);
    return `\${env:${name}}`;
  }

  /** A value as lanyard.yaml may hold it: as it is where it is plainly harmless, else with `${env:NAME}` in the secret's place. */
  written(server: string, name: string, text: string): string {
    if (text.length > maxTextChars) return this.#standing(server, name, text);
    if (!telling.test(name) && harmless.test(text) && !isSecret(text, name)) return text;
    const pointed = text.replace(pointer, "");
    if (pointed !== text && /^(?:[A-Za-z]{1,10} )?$/.test(pointed)) return text.replace(pointer, (_whole, variable: string) => this.known(variableName(variable) === variable.toUpperCase() ? variable : variableName(variable)));
    const [scheme = ""] = /^(?:Bearer|Basic|Token) (?=\S)/i.exec(text) ?? [];
    return scheme + this.#standing(server, name, text.slice(scheme.length));
  }

  #standing(server: string, name: string, value: string): string {
    const isHeader = name.includes("-") || /^authorization$/i.test(name);
    const choices = isHeader ? [] : [name];
    const free = [...choices, variableName(`${server}_${name}`)].find((choice) => (this.#values.get(choice) ?? value) === value) ?? variableName(`${server}_${name}_${this.#values.size}`);
    this.#values.set(free, value);
    return `\${env:${free}}`;
  }
}

/** Options that say where a secret lies, or of what kind it is. */
const aside = /(?:file|path|dir|mode|type|method)$/i;
const isTelling = (name = ""): boolean => (telling.test(name) || /^header$/i.test(name)) && !aside.test(name);

/** What is wrong with an argument that every process of the machine could read; null when nothing is. `before`: the argument before it. */
export function argumentProblem(text: string, before: string): string | null {
  if (text.length > maxTextChars) return `is longer than ${maxTextChars} characters`;
  if (/\$\{[^}]*\}/.test(text)) return "holds a `${...}` that only its client fills in: write what it stands for";
  const isValue = isTelling(/^--?([\w-]{1,80})$/.exec(before)?.[1]) && !text.startsWith("-");
  const isBoth = isTelling(/^-{0,2}([\w-]{1,80}) ?[=:] ?(?=\S)/.exec(text)?.[1]);
  return isValue || isBoth || isSecret(text, before.replace(/^-+/, "")) ? "looks like a secret, and arguments are visible to every process of the machine: give it to the server in a variable (`env`) or a file" : null;
}

/** The same of a URL. */
export function urlProblem(text: string): string | null {
  if (text.length > maxTextChars) return `is longer than ${maxTextChars} characters`;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return "is no http or https URL";
  if (url.username || url.password || [...url.searchParams].some(([name, value]) => telling.test(name) || isSecret(value, name)) || isSecret(text, "")) return "holds a secret, and URLs end up in logs: give it to the server in a header";
  return /\$\{[^}]*\}/.test(text) ? "holds a `${...}` that only its client fills in: write what it stands for" : null;
}

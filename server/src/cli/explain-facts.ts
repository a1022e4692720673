import { isObject, type ArgumentFacts, type Json, type JsonObject } from "@lanyard/contract";
import { printable } from "./terminal.ts";

const kinds = ["sql", "shell", "url", "path", "email", "money", "code"] as const;

/** What the call was taken to do and its arguments to mean, as labels and texts of lines; none for decisions from before there were facts. */
export function meaningLines(input: JsonObject | null | undefined): [label: string, text: string][] {
  const effects = input?.["effects"];
  const facts = input?.["facts"];
  return [
    ...(Array.isArray(effects) ? [["does", effects.length === 0 ? "nobody knows what" : effects.join(", ")] as [string, string]] : []),
    ...(isObject(facts) ? Object.entries(facts).map(([name, of]): [string, string] => ["means", printable(`${name}: ${sentence(of as unknown as ArgumentFacts)}`)]) : []),
  ];
}

function sentence(facts: ArgumentFacts): string {
  const { role, encodings = [], labels, origins, sources = [] } = facts;
  const found = kinds.flatMap((kind) => (facts[kind] === undefined ? [] : [`${kind} ${wordsOfKind(facts[kind] as unknown as JsonObject)}`]));
  const from = sources.flatMap(({ seq, field }) => (seq === null ? [] : [`entry ${seq}${field === "" ? "" : ` ${field}`}`]));
  return [
    role,
    ...found,
    ...(encodings.length > 0 ? [`behind ${encodings.join(", ")}`] : []),
    ...(labels.length > 0 ? [`labels ${labels.join(", ")}`] : []),
    ...(origins.length > 0 ? [`from ${origins.join(", ")}${from.length > 0 ? ` (${[...new Set(from)].slice(0, 4).join("; ")})` : ""}`] : []),
  ].join("; ");
}

/** The class, then what is not empty. Folders are left out: paths say them. */
const wordsOfKind = ({ class: of, folders: _folders, ...more }: JsonObject): string => [String(of), ...Object.entries(more).flatMap(([key, value]) => said(key, value))].join(", ");

const said = (key: string, value: Json): string[] => {
  if (value === true) return [key];
  if (value === false || value === "" || value === null || (Array.isArray(value) && value.length === 0)) return [];
  return [`${key} ${Array.isArray(value) ? `${value.slice(0, 8).map((one) => (one === "" ? "?" : String(one))).join(" ")}${value.length > 8 ? ` and ${value.length - 8} more` : ""}` : String(value)}`];
};

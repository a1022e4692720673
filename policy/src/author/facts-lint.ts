import { callEffects, isObject, pathKinds, valueOrigins, type Json } from "@lanyard/contract";
import { parseTransform, transformOf } from "../decide/transform.ts";
import { factKindNames, fieldsOfKind, type FactKind } from "../schema/facts.ts";
import type { Objection } from "./lint.ts";
import { nearest } from "./problem.ts";
import type { Meaning } from "./reading.ts";

/**
 * Warnings about what a policy asks of facts, labels and origins: values that there are never, a permit that names what must not be instead of what
 * may, and a change of one argument that lifts a rule about all of them.
 */
export const factWarnings = ({ effect, conditions, remedy }: Pick<Meaning, "effect" | "conditions" | "remedy">): Objection[] => {
  const found = new Map<string, Objection>();
  const add = (objection: Objection): void => void found.set(objection.message, objection);
  for (const { kind, body } of conditions) visit(body, (node, left, right) => {
    for (const [asked, literal] of [[left, right], [right, left]] as const) {
      const path = pathOf(asked);
      const values = path === null ? null : valuesAt(path);
      if (path === null || values === null) continue;
      const shown = `context.${path.join(".")}`;
      for (const text of textsIn(literal)) {
        const near = nearest(text, values);
        if (!values.includes(text)) add({ message: `\`${shown}\` is never \`${text}\``, help: near === null ? `it is one of ${values.join(", ")}` : `did you mean \`${near}\`?`, find: JSON.stringify(text) });
      }
      const permits = (effect === "permit") === (kind === "when");
      if (node === "!=" && permits && path.at(-1) === "class") add({ message: `\`${shown}\` is asked for what it must not be`, help: "name the classes that may pass: `unknown`, and those that come later, would pass as well", find: shown });
    }
  });
  const change = parseTransform(transformOf(remedy));
  if (change?.of === "arguments" && !("label" in change)) {
    const whole = conditions.flatMap(({ body }) => wholeAsked(body))[0];
    if (whole !== undefined) {
      const help = whole === "context.labels" ? "write `redact(argument, label)` or `tokenise(argument, label)`: they lift it once nothing in the call carries the label" : "ask for `context.origins.input.<argument>`, or give it no remedy";
      add({ message: `\`${whole}\` speaks of all arguments, and the remedy changes one: the rule is lifted also where another argument is the reason`, help, find: "@remedy" });
    }
  }
  return [...found.values()];
};

const visit = (value: Json, see: (node: string, left: Json, right: Json) => void): void => {
  if (Array.isArray(value)) return value.forEach((item) => visit(item, see));
  if (!isObject(value)) return;
  for (const [node, body] of Object.entries(value)) {
    if (["==", "!=", "contains", "containsAll", "containsAny"].includes(node) && isObject(body)) see(node, body["left"] ?? null, body["right"] ?? null);
    visit(body, see);
  }
};

/** The way that an expression reads below `context`; null when it reads something else. */
const pathOf = (value: Json): string[] | null => {
  if (!isObject(value)) return null;
  if (value["Var"] === "context") return [];
  const access = value["."];
  const above = isObject(access) ? pathOf(access["left"] ?? null) : null;
  return above === null || !isObject(access) ? null : [...above, String(access["attr"])];
};

/** All that can stand at a place of the context; null where it may be anything. */
const valuesAt = ([first, second = "", third]: readonly string[]): readonly string[] | null => {
  if (first === "origins") return valueOrigins;
  if (first !== "facts") return null;
  if (second === "effects") return callEffects;
  if (second === "path" && third === "kinds") return pathKinds;
  const field = (factKindNames as readonly string[]).includes(second) ? fieldsOfKind(second as FactKind)[third ?? ""] : undefined;
  return field?.kind === "class" ? field.of : null;
};

const textsIn = (literal: Json): string[] => {
  if (!isObject(literal)) return [];
  if (typeof literal["Value"] === "string") return [literal["Value"]];
  return Array.isArray(literal["Set"]) ? literal["Set"].flatMap(textsIn) : [];
};

/** What is asked of the whole call, as its author writes it. */
const wholeAsked = (value: Json): string[] => {
  const path = pathOf(value);
  if (path !== null) {
    const [first, second] = path;
    const isWhole = first === "labels" || (first === "facts" && second !== "effects") || (first === "origins" && second !== "input");
    return isWhole ? [`context.${path.join(".")}`] : [];
  }
  if (Array.isArray(value)) return value.flatMap(wholeAsked);
  return isObject(value) ? Object.values(value).flatMap(wholeAsked) : [];
};

import { isObject, type Json, type JsonObject } from "@lanyard/contract";

// From Cedar's JSON policy form to its text, every operand in parentheses: Cedar reads the text, Lanyard the form.

/** A string literal; `stars` are what a pattern escapes. */
const quote = (text: string): string =>
  `"${[...text].map((char) => (/[\w .,;:/+-]/.test(char) ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)).join("")}"`;

const describeUid = ({ type, id }: { readonly type: string; readonly id: string }): string => `${type}::${quote(id)}`;

const access = (attr: string): string => (/^[a-zA-Z_]\w*$/.test(attr) ? `.${attr}` : `[${quote(attr)}]`);

const literal = (json: Json | undefined): string => {
  if (typeof json === "number") return String(BigInt(json));
  if (typeof json === "string") return quote(json);
  if (isObject(json) && isObject(json["__entity"])) return describeUid(json["__entity"] as { type: string; id: string });
  return JSON.stringify(json);
};

const pattern = (parts: Json | undefined): string =>
  (Array.isArray(parts) ? parts : [])
    .map((part) => (isObject(part) ? quote(String(part["Literal"])).slice(1, -1).replace("\\u{2a}", "\\*") : "*"))
    .join("");

const functions = new Set(["decimal", "ip", "datetime", "duration"]);

/** The text of an expression. */
export const textOf = (form: Json | undefined): string => {
  if (!isObject(form)) throw new Error("an expression is an object");
  const [name = ""] = Object.keys(form);
  const body = form[name];
  if (name === "Value") return literal(body);
  if (name === "Var") return String(body);
  if (name === "Set") return `[${(body as Json[]).map(textOf).join(", ")}]`;
  if (Array.isArray(body)) {
    const args = body.map(textOf);
    return functions.has(name) ? `${name}(${args.join(", ")})` : `(${args[0]}).${name}(${args.slice(1).join(", ")})`;
  }
  const { left, right, arg, attr, ...others } = body as JsonObject;
  switch (name) {
    case "Record":
      return `{${Object.entries(body as JsonObject).map(([key, item]) => `${quote(key)}: ${textOf(item)}`).join(", ")}}`;
    case "if-then-else":
      return `(if ${textOf(others["if"])} then ${textOf(others["then"])} else ${textOf(others["else"])})`;
    case "!":
      return `!(${textOf(arg)})`;
    case "neg":
      return `-(${textOf(arg)})`;
    case "isEmpty":
      return `(${textOf(arg)}).isEmpty()`;
    case ".":
      return `(${textOf(left)})${access(String(attr))}`;
    case "has":
      return `((${textOf(left)}) has ${Array.isArray(attr) ? attr.join(".") : quote(String(attr))})`;
    case "like":
      return `((${textOf(left)}) like "${pattern(others["pattern"])}")`;
    case "is":
      return `((${textOf(left)}) is ${String(others["entity_type"])}${"in" in others ? ` in (${textOf(others["in"])})` : ""})`;
    case "contains":
    case "containsAll":
    case "containsAny":
    case "getTag":
    case "hasTag":
      return `(${textOf(left)}).${name}(${textOf(right)})`;
    default:
      return `((${textOf(left)}) ${name} (${textOf(right)}))`;
  }
};

/** What a head says of one variable. */
const scopeText = (name: string, part: JsonObject): string => {
  const { op, entity, entities, entity_type: type } = part;
  const uid = (json: Json | undefined): string => describeUid(json as { type: string; id: string });
  if (op === "All") return name;
  if (op === "is") return `${name} is ${String(type)}${isObject(part["in"]) ? ` in ${uid(part["in"]["entity"])}` : ""}`;
  return `${name} ${String(op)} ${Array.isArray(entities) ? `[${entities.map(uid).join(", ")}]` : uid(entity)}`;
};

/** A policy in Cedar's JSON form, without annotations. */
export interface PolicyForm {
  readonly head: { readonly principal: JsonObject; readonly action: JsonObject; readonly resource: JsonObject };
  readonly clauses: readonly { readonly kind: "when" | "unless"; readonly body: JsonObject }[];
}

/** As a permit: the evaluation is what is compared, and Cedar names every permit that holds. */
export const policyText = ({ head, clauses }: PolicyForm): string =>
  `permit (${scopeText("principal", head.principal)}, ${scopeText("action", head.action)}, ${scopeText("resource", head.resource)})${clauses.map(({ kind, body }) => ` ${kind} { ${textOf(body)} }`).join("")};`;

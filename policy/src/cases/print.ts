import { isObject, type Json } from "@lanyard/contract";

/** Characters of an expression that are shown; a reader only has to find it again. */
const shownChars = 100;

/** An expression of Cedar's JSON form, about as its author wrote it, on one line and cut to a hundred characters. */
export const brief = (expression: Json): string => {
  const text = print(expression).replace(/^\((.*)\)$/s, "$1");
  return text.length > shownChars ? `${text.slice(0, shownChars - 1)}…` : text;
};

const infix = new Set(["==", "!=", "<", "<=", ">", ">=", "&&", "||", "+", "-", "*", "in"]);
const methods = new Set(["contains", "containsAll", "containsAny", "getTag", "hasTag"]);
/** Extension functions that are written before their argument; all others are methods of their first. */
const makers = new Set(["decimal", "ip", "datetime", "duration"]);

const print = (value: Json | undefined): string => {
  if (!isObject(value)) return JSON.stringify(value) ?? "";
  const [operator = "", operand] = Object.entries(value)[0] ?? [];
  const side = (key: string): string => print(isObject(operand) ? operand[key] : undefined);
  const raw = (key: string): Json | undefined => (isObject(operand) ? operand[key] : undefined);
  if (operator === "Var") return String(operand);
  if (operator === "Value") return printValue(operand);
  if (infix.has(operator)) return `(${side("left")} ${operator} ${side("right")})`;
  if (methods.has(operator)) return `${side("left")}.${operator}(${side("right").replace(/^\((.*)\)$/s, "$1")})`;
  switch (operator) {
    case ".":
      return `${side("left")}${attribute(String(raw("attr")))}`;
    case "has":
      return `(${side("left")} has ${[raw("attr")].flat().map(String).join(".")})`;
    case "!":
      return `!${side("arg")}`;
    case "neg":
      return `-${side("arg")}`;
    case "isEmpty":
      return `${side("arg")}.isEmpty()`;
    case "like":
      return `(${side("left")} like ${JSON.stringify(patternText(raw("pattern")))})`;
    case "is":
      return `(${side("left")} is ${String(raw("entity_type"))}${raw("in") === undefined ? "" : ` in ${side("in")}`})`;
    case "if-then-else":
      return `(if ${side("if")} then ${side("then")} else ${side("else")})`;
    case "Set":
      return `[${Array.isArray(operand) ? operand.map(print).join(", ") : ""}]`;
    case "Record":
      return `{${isObject(operand) ? Object.entries(operand).map(([key, item]) => `${key}: ${print(item)}`).join(", ") : ""}}`;
    default:
      return printCall(operator, Array.isArray(operand) ? operand : []);
  }
};

const attribute = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`);

const printCall = (name: string, operands: readonly Json[]): string => {
  if (makers.has(name)) return `${name}(${operands.map(print).join(", ")})`;
  return `${print(operands[0])}.${name}(${operands.slice(1).map(print).join(", ")})`;
};

const printValue = (value: Json | undefined): string => {
  const entity = isObject(value) ? value["__entity"] : undefined;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value).toString();
  return isObject(entity) ? `${String(entity["type"])}::${JSON.stringify(entity["id"])}` : (JSON.stringify(value) ?? "");
};

const patternText = (pattern: Json | undefined): string =>
  Array.isArray(pattern) ? pattern.map((part) => (isObject(part) ? String(part["Literal"] ?? "").replaceAll("*", "\\*") : "*")).join("") : "";

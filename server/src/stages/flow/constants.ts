import { isObject, type Json, type ToolDefinition } from "@lanyard/contract";

const known = new WeakMap<ToolDefinition, Readonly<Record<string, ReadonlySet<string>>>>();

/** By top-level argument, the words that a tool's definition lists for it (`enum`, `const`), wherever in it: choosing one of them steers nothing else. */
export function constantsOf(definition: ToolDefinition | null): Readonly<Record<string, ReadonlySet<string>>> {
  if (!definition) return {};
  let constants = known.get(definition);
  if (!constants) {
    const { properties } = definition.inputSchema;
    const listed = Object.entries(isObject(properties) ? properties : {}).map(([name, schema]) => [name, new Set(listedIn(schema))] as const);
    constants = Object.fromEntries(listed.filter(([, words]) => words.size > 0));
    known.set(definition, constants);
  }
  return constants;
}

function listedIn(schema: Json, depth = 0): string[] {
  if (depth > 16) return [];
  if (Array.isArray(schema)) return schema.flatMap((one) => listedIn(one, depth + 1));
  if (!isObject(schema)) return [];
  const own = [...(Array.isArray(schema["enum"]) ? schema["enum"] : []), schema["const"]].filter((word) => typeof word === "string");
  return [...own, ...Object.entries(schema).flatMap(([key, below]) => (key === "enum" || key === "const" || key === "examples" || key === "default" ? [] : listedIn(below, depth + 1)))];
}

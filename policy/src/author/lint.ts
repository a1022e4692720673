import { isObject, parseQuorum, quorumCovers, quorumForms, type Json } from "@lanyard/contract";
import type { PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Severity } from "../bundle.ts";
import { parseTransform, transformForms, transformOf } from "../decide/transform.ts";
import { nearest } from "./problem.ts";

/** An objection to one policy; `find` is the text in the policy to point at, the whole policy when it is not there. */
export interface Objection {
  readonly message: string;
  readonly help: string;
  readonly find: string;
}

export interface Annotations {
  readonly id: string;
  readonly reason: string;
  readonly remedy: string;
  readonly approvers: readonly string[];
  readonly severity: Severity;
  /** `@tier` and `@team` as written; null when they are not. They say what the file's place says already, and may not say otherwise. */
  readonly said: { readonly tier: string | null; readonly team: string | null };
}

const known = ["id", "reason", "remedy", "severity", "team", "tier"] as const;
const severities: readonly Severity[] = ["", "low", "medium", "high", "critical"];
const bounds = { reasonChars: 500, approvers: 16 } as const;

/** Reads the annotations of a policy and what its `@remedy` promises; each objection is an error. */
export const readAnnotations = (policy: PolicyJson): { annotations: Annotations; objections: Objection[] } => {
  const objections: Objection[] = [];
  const given = new Map(Object.entries(policy.annotations ?? {}));
  for (const name of given.keys()) {
    if ((known as readonly string[]).includes(name)) continue;
    const near = nearest(name, known);
    objections.push({ message: `annotation \`@${name}\` is not known`, help: near ? `did you mean \`@${near}\`?` : `known are ${known.map((one) => `@${one}`).join(", ")}`, find: `@${name}` });
  }
  const id = given.get("id") ?? "";
  if (!given.has("id")) objections.push({ message: "the policy has no `@id`", help: 'begin it with @id("team.what-it-does"): decisions name it', find: "" });
  else if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/.test(id) || id.startsWith("lanyard.")) {
    objections.push({ message: `\`${id.slice(0, 140)}\` cannot be an id`, help: "1 to 128 letters, digits, `.`, `_`, `-`, `/`, not beginning with `lanyard.`", find: "@id" });
  }
  const reason = given.get("reason") ?? "";
  if (reason.length > bounds.reasonChars) objections.push({ message: `the reason is longer than ${bounds.reasonChars} characters`, help: "the agent reads it; be brief", find: "@reason" });
  const remedy = given.get("remedy") ?? "";
  const approvers = given.has("remedy") ? readRemedy(policy, remedy, objections) : [];
  const severity = severities.find((one) => one === given.get("severity")) ?? "";
  if (given.has("severity") && severity === "") objections.push({ message: "`@severity` is none of low, medium, high, critical", help: "it is for readers and reports; it decides nothing", find: "@severity" });
  objections.push(...readsOfRemedies(policy, remedy, approvers), ...wholeContext(policy), ...namesOfHints(policy));
  return { annotations: { id, reason, remedy, approvers, severity, said: { tier: given.get("tier") ?? null, team: given.get("team") ?? null } }, objections };
};

const readRemedy = (policy: PolicyJson, remedy: string, objections: Objection[]): string[] => {
  const complain = (message: string, help: string): string[] => {
    objections.push({ message, help, find: "@remedy" });
    return [];
  };
  const [kind = "", list = ""] = remedy.split(/:(.*)/s);
  if (kind !== "approval" && kind !== "transform") return complain(`remedy \`${remedy.slice(0, 64)}\` is of no known kind`, "write `approval:<group>[,<group>]`, with `<n> of <group>` for several people, or `transform:<change>`");
  if (policy.effect !== "forbid") return complain("only a `forbid` can have a remedy", "a remedy lifts a forbid; it never creates a permit");
  if (kind === "transform") {
    if (parseTransform(list) === null) return complain(`\`${list.slice(0, 64)}\` is no change of arguments that is known`, `write ${transformForms}`);
    if (policy.conditions.some((clause) => clause.kind === "unless" && madeChange(clause.body as Json) === list)) return [];
    return complain("`@remedy` promises what the policy does not do", `add the clause: unless { context.remedies.contains(${JSON.stringify(list)}) }`);
  }
  const groups = [...new Set(list.split(",").map((group) => group.trim()))].sort();
  if (groups.includes("") || groups.length > bounds.approvers) return complain(`\`${remedy.slice(0, 64)}\` does not name 1 to ${bounds.approvers} groups`, "write `approval:<group>[,<group>]`");
  const unread = groups.find((group) => parseQuorum(group) === null);
  if (unread !== undefined) return complain(`\`${unread.slice(0, 64)}\` names no group, nor a number of people of one`, `write ${quorumForms}`);
  const spare = groups.find((group) => groups.some((other) => other !== group && quorumCovers(other, group)));
  if (spare !== undefined) return complain(`\`${spare}\` is asked for twice: \`${groups.find((other) => other !== spare && quorumCovers(other, spare)) ?? ""}\` is enough for it`, "name each group once");
  if (!policy.conditions.some((clause) => clause.kind === "unless" && sameGroups(approvedGroups(clause.body as Json), groups))) {
    const refs = groups.map((group) => `Group::${JSON.stringify(group)}`);
    const test = refs.length === 1 ? `contains(${refs[0]})` : `containsAll([${refs.join(", ")}])`;
    return complain("`@remedy` promises what the policy does not do", `add the clause: unless { context.approvals.${test} }`);
  }
  return groups;
};

const sameGroups = (left: readonly string[] | null, right: readonly string[]): boolean =>
  left !== null && JSON.stringify([...new Set(left)].sort()) === JSON.stringify(right);

const child = (value: Json | undefined, key: string): Json | undefined => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined);

const isContextField = (value: Json | undefined, field: string): boolean => {
  const access = child(value, ".");
  return child(access, "attr") === field && child(child(access, "left"), "Var") === "context";
};

const groupOf = (value: Json | undefined): string | null => {
  const entity = child(child(value, "Value"), "__entity");
  const id = child(entity, "id");
  return child(entity, "type") === "Group" && typeof id === "string" ? id : null;
};

/** The groups (or quorums, see `parseQuorum`) an `unless` asks for, when it is exactly `context.approvals.contains(..)`, `.containsAll([..])`, or a conjunction of these. */
const approvedGroups = (body: Json | undefined): string[] | null => {
  const and = child(body, "&&");
  if (and !== undefined) {
    const [left, right] = [approvedGroups(child(and, "left")), approvedGroups(child(and, "right"))];
    return left === null || right === null ? null : [...left, ...right];
  }
  const one = child(body, "contains");
  if (one !== undefined && isContextField(child(one, "left"), "approvals")) {
    const group = groupOf(child(one, "right"));
    return group === null ? null : [group];
  }
  const all = child(body, "containsAll");
  if (all === undefined || !isContextField(child(all, "left"), "approvals")) return null;
  const items = child(child(all, "right"), "Set");
  if (!Array.isArray(items)) return null;
  const groups = items.map(groupOf);
  return groups.every((group) => group !== null) ? groups : null;
};

/** The change an `unless` asks for, when it is exactly `context.remedies.contains("<change>")`. */
const madeChange = (body: Json): string | null => {
  const one = child(body, "contains");
  const text = isContextField(child(one, "left"), "remedies") ? child(child(one, "right"), "Value") : null;
  return typeof text === "string" ? text : null;
};

/**
 * Invariant: approvals and changes made are read by the `unless` of a remedy and nowhere else, so that what lifts a rule can do nothing more.
 * `remedy` is the policy's own; what its `unless` asks for is its own remedy and no other's.
 */
const readsOfRemedies = (policy: PolicyJson, remedy: string, approvers: readonly string[]): Objection[] => {
  const objections: Objection[] = [];
  for (const clause of policy.conditions) {
    const body = clause.body as Json;
    // A remedy that is wrong has been told already.
    const asked = remedy.startsWith("approval:") ? approvedGroups(body) : null;
    if (clause.kind === "unless" && asked !== null && (approvers.length === 0 || sameGroups(asked, approvers))) continue;
    if (clause.kind === "unless" && transformOf(remedy) !== "" && madeChange(body) === transformOf(remedy)) continue;
    for (const field of ["approvals", "remedies"]) {
      if (!mentions(body, field)) continue;
      const example = field === "approvals" ? "approval:<group>" : "transform:<change>";
      const help = policy.effect === "permit" ? "a remedy never creates a permit: permit it, and forbid it with a remedy" : `give the forbid @remedy("${example}") and the matching \`unless\` alone in its clause`;
      objections.push({ message: `\`context.${field}\` is read outside the \`unless\` of a remedy`, help, find: `context.${field}` });
    }
  }
  return objections;
};

const mentions = (value: Json, field: string): boolean => {
  if (Array.isArray(value)) return value.some((item) => mentions(item, field));
  if (!isObject(value)) return false;
  const has = child(value, "has");
  const attr = child(has, "attr");
  if (child(child(has, "left"), "Var") === "context" && (attr === field || (Array.isArray(attr) && attr[0] === field))) return true;
  return isContextField(value, field) || Object.values(value).some((item) => mentions(item, field));
};

/** Under another name `context` could be asked for anything, so that no other rule here would hold: it is named field by field. */
const wholeContext = ({ conditions }: PolicyJson): Objection[] =>
  conditions.some(({ body }) => standsAlone(body as Json)) ? [{ message: "`context` stands for itself", help: "name the field where it is read, as in `context.input.amount`", find: "context" }] : [];

const standsAlone = (value: Json): boolean => {
  if (Array.isArray(value)) return value.some(standsAlone);
  if (!isObject(value)) return false;
  if (value["Var"] === "context") return true;
  const access = value["."] ?? value["has"];
  const isField = isObject(access) && child(access["left"], "Var") === "context";
  return !isField && Object.values(value).some(standsAlone);
};

/** Invariant: a server's hints may only raise caution, so nothing but the head of a forbid may ask for them: there a hint can only add a rule. */
const namesOfHints = ({ effect, action, conditions }: PolicyJson): Objection[] => {
  const help = "a server says this of itself: write `forbid (principal, action in Action::\"hint:...\", resource)`, or give the tool a contract in lanyard.yaml and use its effects";
  const parts: unknown[] = effect === "forbid" ? [conditions] : [conditions, action];
  const hints = new Set(parts.flatMap((part) => hintsIn(part as Json)));
  return [...hints].map((hint) => ({ message: `\`${hint}\` is asked for elsewhere than in the head of a forbid`, help, find: JSON.stringify(hint) }));
};

const hintsIn = (value: Json): string[] => {
  if (Array.isArray(value)) return value.flatMap(hintsIn);
  if (!isObject(value)) return [];
  if (value["type"] === "Action" && typeof value["id"] === "string") return value["id"].startsWith("hint:") ? [value["id"]] : [];
  return Object.values(value).flatMap(hintsIn);
};

import { describe, expect, it } from "vitest";
import { parseConfig } from "./read.ts";

const read = (tools: string, more = "") => parseConfig(new TextEncoder().encode(`version: 1\nservers: { mail: { command: a }, db: { command: b } }\n${more}tools:\n${tools}`), "/etc/lanyard.yaml");
const problem = (tools: string): string => {
  try {
    read(tools);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("arguments of a contract", () => {
  it("are told in full or by their kind alone", () => {
    const { arguments: all } = read("  mail/pay:\n    effects: [money]\n    arguments: { to: email, sum.value: { kind: money, unit: cents, currency: { argument: sum.currency } }, note: { role: content } }\n");
    const said = all.get("mail/pay");
    const nothing = { kind: null, role: null, type: null, dialect: null, language: null, root: null, unit: "major", currency: null };
    expect(said?.get("to")).toEqual({ ...nothing, kind: "email" });
    expect(said?.get("sum.value")).toEqual({ ...nothing, kind: "money", unit: "minor", currency: { argument: ["sum", "currency"] } });
    expect(said?.get("note")).toEqual({ ...nothing, role: "content" });
    expect(all.get("mail/read")).toBeUndefined();
  });

  it("of a ready contract begin at its root, and the organisation's own words on an argument count first", () => {
    const { arguments: all } = read("  mail/write_file: { arguments: { content: code } }\n", "contracts: { mail: { use: filesystem, root: /work } }\n");
    expect(all.get("mail/write_file")?.get("path")).toMatchObject({ kind: "path", root: "/work" });
    expect(all.get("mail/write_file")?.get("content")).toMatchObject({ kind: "code", role: null });
    expect(all.get("mail/read_file")?.get("path")?.root).toBe("/work");
  });

  it.each([
    ["    arguments: { to: emial }", "/etc/lanyard.yaml:6:22: `tools.mail/send.arguments.to.kind`: there is no kind of argument `emial`; did you mean `email`?"],
    ["    arguments: { to: { kind: email, rol: recipient } }", "/etc/lanyard.yaml:6:37: unknown key `rol`; did you mean `role`?"],
    ["    arguments: { to: { kind: email, role: recipent } }", "/etc/lanyard.yaml:6:43: `tools.mail/send.arguments.to.role`: there is no role `recipent`; did you mean `recipient`?"],
    ["    arguments: { q: { kind: sql, dialect: postgres } }", "/etc/lanyard.yaml:6:43: `tools.mail/send.arguments.q.dialect`: there is no dialect of SQL `postgres`; did you mean `postgresql`?"],
    ["    arguments: { q: { kind: email, root: /work } }", "/etc/lanyard.yaml:6:42: `tools.mail/send.arguments.q.root`: `root` goes with `kind: path` only"],
    ["    arguments: { q: { kind: path, root: work } }", "/etc/lanyard.yaml:6:41: `tools.mail/send.arguments.q.root`: `root` is an absolute path"],
    ["    arguments: { q: { kind: money, currency: euro } }", "/etc/lanyard.yaml:6:46: `tools.mail/send.arguments.q.currency`: an ISO 4217 code such as `EUR`, or the argument that holds it: `{ argument: currency }`"],
    ["    arguments: { q: {} }", "/etc/lanyard.yaml:6:21: `tools.mail/send.arguments.q`: say its `kind`, its `role` or its `type`"],
    ["    arguments: { .q: email }", "/etc/lanyard.yaml:6:18: `.q`: write the argument's name, or a path of names with dots between them"],
    ["    argument: { to: email }", "/etc/lanyard.yaml:6:5: unknown key `argument`; did you mean `arguments`?"],
  ])("%s is a problem with its place", (line, message) => {
    expect(problem(`  mail/send:\n    effects: [egress]\n${line}\n`).replace(/:(\d+):(\d+): /, ":$1:$2: ")).toBe(message);
  });
});

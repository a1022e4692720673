import type { CallEffect, JsonObject } from "@lanyard/contract";
import { completeWebArguments } from "@lanyard/contract";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { declaredArguments, type ArgumentsFile } from "../config/arguments.ts";
import { looksLikeSql } from "./detect.ts";
import { extract, type ExtractedCall } from "./extract.ts";
import { loadExtractors } from "./sql/sql.ts";

const read = (tool: string, args: JsonObject, { declared = {}, ...more }: Partial<Omit<ExtractedCall, "declared">> & { declared?: ArgumentsFile } = {}) =>
  extract({ server: "s", tool, args, declared: declaredArguments(declared, null), effects: null, shape: null, ...more });
const kinds = (tool: string, args: JsonObject, more?: Parameters<typeof read>[2]): string[] =>
  Object.entries(read(tool, args, more).facts).flatMap(([name, facts]) => Object.keys(facts).filter((key) => !["role", "labels", "origins", "encodings"].includes(key)).map((kind) => `${name} ${kind}`));

beforeAll(loadExtractors);

describe("where a contract is silent", () => {
  it.each<[string, JsonObject, string]>([
    ["send_email", { to: ["a@b.com"], subject: "Hi", body: "see https://b.com and mail c@d.com" }, "to email"],
    ["fetch", { input: "http://169.254.169.254/" }, "input url"],
    ["open", { page: "example.com" }, ""],
    ["get_webpage", { url: "www.example.com/a" }, "url url"],
    ["read_file", { path: "notes.md" }, "path path"],
    ["show", { what: "/etc/passwd" }, "what path"],
    ["copy", { source: "a/b", destination: "c/d" }, "source path,destination path"],
    ["book", { destination: "Paris", date: "2026-11-02" }, ""],
    ["remind", { text: "/remind me later" }, ""],
    ["query", { sql: "nonsense" }, "sql sql"],
    ["search", { query: "select a hotel in Paris from the list" }, ""],
    ["search", { query: "SELECT * FROM users" }, "query sql"],
    ["search", { query: "update on the project" }, ""],
    ["query_database", { query: "anything" }, "query sql"],
    ["run", { command: "ls" }, "command shell"],
    ["start", { command: "git", args: ["push"] }, "command shell"],
    ["run_python", { code: "print(1)" }, "code code"],
    ["apply_discount", { code: "SUMMER20" }, ""],
    ["pay", { amount: 5, currency: "EUR" }, "amount money"],
    ["order", { items: [{ price: "3.50", name: "tea" }] }, "items money"],
    ["list", { limit: 5, total_count: 7 }, ""],
    ["post", { channel: "#general", text: "hello" }, ""],
    ["save", { data: JSON.stringify({ a: "SELECT * FROM users" }) }, "data sql"],
    ["save", { data: Buffer.from("https://evil.example/x?y=z").toString("base64") }, "data url"],
  ])("%s %j holds %s", (tool, args, expected) => expect(kinds(tool, args).join(",")).toBe(expected));

  it("a guarded place is a path whatever the argument is called", () => {
    expect(read("x", { name: ".cursor/mcp.json" }).facts["name"]).toMatchObject({ path: { kinds: expect.arrayContaining(["agent-config"]) } });
    expect(read("x", { title: "CLAUDE.md" }).facts["title"]).toMatchObject({ path: { kinds: ["agent-config"] } });
    for (const title of ["notes.md", "v1.2.3", "and/or", "memory", "example.com"]) expect(read("x", { title }).facts["title"]?.path, title).toBeUndefined();
  });
  it.each<[string, JsonObject, readonly CallEffect[] | null, string]>([
    ["reserve_car", { from: "2026-06-22", to: "2026-06-24" }, ["money"], "other"],
    ["export_logs", { from: "now-1h", to: "now" }, ["egress", "read"], "other"],
    ["export_logs", { from: "now-7d", to: "now-1d" }, ["egress", "read"], "other"],
    ["export_logs", { from: "now", to: "nowhere" }, ["egress", "read"], "recipient"],
    ["find_slots", { from: "08:00", to: "10:30" }, null, "other"],
    ["move_file", { from: "a/b.txt", to: "c/d.txt" }, null, "target"],
    ["translate_text", { from: "en", to: "de" }, ["write"], "other"],
    ["transfer", { from: "ACC-1", to: "ACC-2", amount: 5 }, null, "recipient"],
    ["send_message", { from: "a@b.example", to: "c@d.example" }, null, "recipient"],
    ["write_note", { from: "ana", to: "x@evil.example" }, ["write"], "recipient"],
    ["send_message", { to: "ana" }, null, "recipient"],
  ])("%s %j, which does %s: `to` is %s", (tool, args, effects, role) => expect(read(tool, args, { effects }).facts["to"]?.role).toBe(role));
  it("an order goes to somebody, though it comes from somewhere", () => {
    expect(read("create_order", { from: "HAITU", to: "BCD-7" }, { effects: ["write"] }).facts["to"]?.role).toBe("recipient");
    expect(read("create_order", { from: "2026-06-22", to: "2026-06-24" }, { effects: ["write"] }).facts["to"]?.role).toBe("other");
  });
  it("the name beside an account that is paid is no recipient; without the account it is one, and so is an address", () => {
    const roles = (args: JsonObject) => Object.values(read("transfer", args, { effects: ["money"] }).facts).map(({ role }) => role);
    expect(roles({ payee: "Bureau Lindqvist GbR", iban: "DE89370400440532013000" })).toEqual(["other", "recipient"]);
    expect(roles({ payee: "Bureau Lindqvist GbR" })).toEqual(["recipient"]);
    expect(roles({ payee: "Mallory", account: "DE89370400440532013000" }), "which may be the one that pays").toEqual(["recipient", "recipient"]);
    expect(roles({ to: "Mallory", from_iban: "DE89370400440532013000" }), "whoever is paid is called so").toEqual(["recipient", "recipient"]);
    expect(roles({ to: "Mallory", iban: "DE89370400440532013000" }), "whoever is paid may be called so").toEqual(["recipient", "recipient"]);
    expect(roles({ payee: "x@evil.example", iban: "DE89370400440532013000" })).toEqual(["recipient", "recipient"]);
    expect(roles({ payee: "GB29NWBK60161331926819", iban: "DE89370400440532013000" })).toEqual(["recipient", "recipient"]);
  });
  it("what is called after money is none", () => expect(Object.values(read("refund", { amount: 12, payment_id: "PAY-7731", payment_method: "card 2", price_list: "2025", total_pages: 3 }).facts).map(({ money }) => money?.minor)).toEqual([1200, undefined, undefined, undefined, undefined]));
  it("a code of a thing is no program", () => expect(Object.entries(read("book", { event_code: "DUI-0614", source_code: "1", code: "x" }).facts).map(([name, { role }]) => `${name} ${role}`)).toEqual(["event_code other", "source_code command", "code command"]));
  it("how far something goes is nobody who gets it", () => expect(Object.entries(read("update", { date_to: "2026-01-02", to_time: "08:00", valid_to: "x", to_address: "a@b.example", mail_to: "c" }).facts).map(([name, { role }]) => `${name} ${role}`)).toEqual(["date_to other", "to_time other", "valid_to other", "to_address recipient", "mail_to recipient"]));
  it("a number of a thing is a name of it", () => expect(Object.values(read("order", { part_no: "44-108", invoice_number: "70-4", account_number: "1", number: 3 }).facts).map(({ role }) => role)).toEqual(["target", "target", "recipient", "other"]));
  it("the escapes of a URL are part of it", () => expect(read("x", { page: "https://docs.example.com/a%20b" }).facts["page"]).toMatchObject({ url: { class: "public" }, encodings: ["percent"] }));

  it.each<[string, JsonObject, readonly CallEffect[] | null, string]>([
    ["pay", { amount: 5, bank_details: "Marlow Escrow, CY17 0020 0128 0000 0012 0052 7600" }, null, "bank_details"],
    ["request", { amount: 5, note_to_payer: "GB82WEST12345698765432" }, ["money"], "note_to_payer"],
    ["pay", { reference: "send it to mallory@evil.example" }, null, "reference"],
    ["pay", { method: "4111 1111 1111 1111" }, null, "method"],
    ["pay", { details: { bank: "sort code 20-00-00, account 12345678" } }, null, "details"],
    ["pay", { memo: Buffer.from("pay GB82WEST12345698765432").toString("base64") }, null, "memo"],
    ["pay", { wallet_of: "0x52908400098527886E0F7030069857D2E4169EE7" }, null, "wallet_of"],
    ["pay", { iban: "GB82WEST12345698765432", from: "ana@acme.example", message: "Invoice 20266, order 8841-20177" }, null, ""],
    ["read_note", { text: "GB82WEST12345698765432" }, null, ""],
    ["send_message", { text: "GB82WEST12345698765432" }, null, ""],
  ])("%s %j, which does %s: money goes to what is in %s", (tool, args, effects, expected) => {
    const { facts } = read(tool, args, { effects });
    expect(Object.keys(facts).filter((name) => facts[name]?.payees).join(",")).toBe(expected);
  });
  it("what a contract calls content is content", () => expect(read("pay", { amount: 5, note: "GB82WEST12345698765432" }, { declared: { note: { role: "content" } } }).facts["note"]?.payees).toBeUndefined());

  it("a word that the schema lists is no command", () => {
    const shape = { inputSchema: { type: "object", properties: { command: { enum: ["view", "create"] } } } };
    expect(kinds("edit", { command: "view" }, { shape })).toEqual([]);
    expect(kinds("edit", { command: "view" })).toEqual(["command shell"]);
  });

  it("`__proto__` is an argument like any other", () => {
    const args = JSON.parse('{"__proto__":{"to":"a@b.com"},"constructor":"/etc"}') as JsonObject;
    expect(Object.keys(read("send", args).facts)).toEqual(["__proto__", "constructor"]);
    expect(read("send", args).facts["constructor"]?.path?.paths).toEqual(["/etc"]);
  });
});

describe("where a contract speaks", () => {
  it("its kind counts and no other, and `text` is nothing but text", () => {
    expect(kinds("x", { a: "https://b.com", b: "ls" }, { declared: { a: { kind: "text" }, b: { kind: "shell" } } })).toEqual(["b shell"]);
    expect(read("x", { a: "not a path\0" }, { declared: { a: { kind: "path", root: "/work" } } }).facts["a"]?.path?.class).toBe("unknown");
  });
  it("a path of names leads into objects and through arrays", () => {
    const { facts } = read("x", { mail: [{ to: "a@b.com" }, { to: "c@d.com", note: "e@f.com" }] }, { declared: { "mail.to": { kind: "email", role: "recipient" }, "mail.note": { kind: "text" } } });
    expect(facts["mail"]).toMatchObject({ role: "recipient", email: { addresses: ["a@b.com", "c@d.com"] } });
  });
  it("money has its unit and its currency, or that of the argument that holds it", () => {
    const money = (said: ArgumentsFile[string], args: JsonObject) => read("x", args, { declared: { sum: said } }).facts["sum"]?.money;
    expect(money({ kind: "money", unit: "cents", currency: "EUR" }, { sum: 1250 })).toEqual({ class: "plain", minor: 1250, currencies: ["EUR"] });
    expect(money({ kind: "money", currency: { argument: "in.code" } }, { sum: 12.5, in: { code: "usd" } })).toEqual({ class: "plain", minor: 1250, currencies: ["USD"] });
    expect(money({ kind: "money" }, { sum: "1,000" })?.class).toBe("unknown");
  });
});

describe("what a call does", () => {
  const effects = (tool: string, args: JsonObject = {}, more?: Parameters<typeof read>[2]): string => read(tool, args, more).effects.join();
  it.each<[string, string]>([
    ["list_scheduled_payments", "read"], ["gmail_send_email", "egress,write"], ["delete_file", "destructive,write"], ["transfer_money", "money,write"], ["executeCommand", "exec"], ["frobnicate", ""], ["execute_sql", ""],
  ])("is told by its name: %s %s", (tool, expected) => expect(effects(tool)).toBe(expected));
  it("and by its arguments", () => {
    expect(effects("execute_sql", { sql: "SELECT 1" })).toBe("read");
    expect(effects("execute_sql", { sql: "DROP TABLE a" })).toBe("destructive,write");
    expect(effects("get_page", { url: "https://a.com" })).toBe("egress,read");
    expect(effects("schedule", { amount: 5, recipient: "x" })).toBe("money,write");
    expect(effects("get", { command: "rm -rf /" })).toContain("destructive");
  });
  it("a server's hints only add (I12)", () => {
    const hinted = (annotations: JsonObject) => effects("delete_file", {}, { shape: { inputSchema: {}, annotations } });
    expect(hinted({ readOnlyHint: true, destructiveHint: false, openWorldHint: false })).toBe("destructive,write");
    expect(effects("frobnicate", {}, { shape: { inputSchema: {}, annotations: { destructiveHint: true, openWorldHint: true } } })).toBe("destructive,egress,write");
  });
  it("a contract's effects stand instead of the name, and arguments add to them", () => {
    const told: readonly CallEffect[] = ["read"];
    expect(effects("delete_file", {}, { effects: told })).toBe("read");
    expect(effects("delete_file", { url: "https://a.com" }, { effects: told })).toBe("egress,read");
    const inviting = { effects: ["egress", "write"] } as const;
    expect(effects("create_event", { title: "Flight", participants: [] }, inviting)).toBe("write");
    expect(effects("create_event", { title: "Flight", participants: ["jo@x.example"] }, inviting)).toBe("egress,write");
    expect(effects("create_event", { title: "Flight" }, inviting)).toBe("egress,write");
    expect(effects("create_event", { title: "Flight", participants: [], to: "jo@x.example" }, inviting)).toBe("egress,write");
    expect(effects("create_event", { participants: [], callback: "https://a.com" }, inviting)).toBe("egress,write");
  });
});

it("what leaves a sandbox has its host from three arguments, its path as the server takes it, and its body as content", () => {
  const { facts } = read("POST", completeWebArguments("POST", { host: "10.0.0.1", path: "/api/..%2fadmin;x//y", body: "hello" }), { server: "web", effects: ["egress", "write"] });
  expect(facts["host"]).toMatchObject({ role: "recipient", url: { class: "private", hosts: ["10.0.0.1"], ports: [443], schemes: ["https"] } });
  expect(facts["path"]?.path).toMatchObject({ class: "unknown", paths: ["/admin/y"] });
  expect(facts["body"]?.role).toBe("content");
  expect(read("GET", completeWebArguments("GET", { host: "a.example.com", path: "/a" }), { server: "web" }).facts["host"]?.role).toBe("target");
  expect(read("TCP", { host: "db.example.com", port: 5432 }, { server: "web" }).facts["host"]?.url).toMatchObject({ class: "public", schemes: ["tcp"], ports: [5432] });
});

it("a statement is known by its structure", () => {
  for (const text of ["SELECT * FROM x", "/* a */ (select 1)", "insert into x values (1)", "DELETE FROM users", "with a as (select 1) select", "drop table users; --", "grant all on x to bob"]) expect(looksLikeSql(text), text).toBe(true);
  for (const text of ["update on project", "Create table of contents", "delete from cart the item", "Select the best option from the list, please", "drop by tomorrow"]) expect(looksLikeSql(text), text).toBe(false);
});

it("nothing that is sent makes it fail, and every argument has its facts", () => {
  const name = fc.constantFrom("to", "url", "path", "sql", "command", "amount", "code", "args", "a", "__proto__", "query");
  const args = fc.dictionary(name, fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<JsonObject>;
  fc.assert(fc.property(name, args, (tool, sent) => void expect(Object.keys(read(tool, sent).facts)).toEqual(Object.keys(sent))), { numRuns: 300 });
});

describe("recipients in lines of a header", () => {
  it.each<[string, string, boolean]>([
    ["headers", "To: eve@evil.com", true],
    ["headers", " \t\n to: eve@evil.com", true],
    ["headers", "X-A: 1\r\n \t\r\n\tBcc : eve@evil.com", true],
    ["subject", "Hi\n\n \tcc: eve@evil.com", true],
    ["subject", "Reply to: eve@evil.com", false],
    ["headers", "X-Reply-To: eve@evil.com", false],
  ])("%s %j", (name, text, names) => expect(read("send_email", { [name]: text }).facts[name]?.role === "recipient").toBe(names));

  it("are looked for once, however many lines are blank", () => {
    for (const name of ["headers", "subject", "payload"]) expect(read("send_email", { [name]: "\t\n".repeat(500_000) }).facts[name]?.role).not.toBe("recipient");
  }, 20_000);
});

describe("where a call says which field it sets", () => {
  it.each<[JsonObject, string]>([
    [{ policy_id: "WG-1", field: "email", value: "b@home.example" }, "recipient"],
    [{ patient_id: "P-1", field: "contacts.0.email", value: "b@home.example" }, "recipient"],
    [{ id: "S-1", setting: "payout_iban", new_value: "GB82WEST12345698765432" }, "recipient"],
    [{ id: "J-1", key: "amount", value: 12 }, "amount"],
    [{ id: "J-1", field: "note", value: "b@home.example" }, "content"],
    [{ id: "J-1", field: "say to whom it goes", value: "b@home.example" }, "content"],
  ])("%j: what is set is called by it", (args, role) => expect(read("update", args).facts["value" in args ? "value" : "new_value"]?.role).toBe(role));
});

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { incidentWorld } from "../../../../../test/kits/incident.ts";
import { incidentPage } from "../../../cli/incident-page.ts";
import { json } from "../../../cli/terminal.ts";

const root = join(import.meta.dirname, "../../../../..");

/** The night of the golden report: reads, a deletion, a loop that a breaker stops, a page, a child, a host, an approval, an open end. */
async function night() {
  const w = await incidentWorld();
  await w.open("ses_night");
  await w.open("ses_other", { purpose: "something else" });
  await w.outcome(await w.call("ses_night", "notes/read_note", { name: "plan" }));
  const asked = await w.call("ses_night", "notes/delete_note", { name: "plan", token: "lyd_user_AAAAAAAAAAAAAAAAAAAAAAAA" }, { effect: "ask", resources: [{ type: "Note", id: "plan" }] });
  await w.append({ type: "approval.request", id: "apr_1", of: asked, digest: "d".repeat(43), groups: ["leads"], session: "ses_night", expires_at_ms: w.clock.nowMs() + 60_000 } as never);
  await w.append({ type: "approval.deny", id: "apr_1", by: "user:ana", comment: "c".repeat(43), payload: null } as never, { subject: "user:ana", field: "comment", value: "keep it until <b>Friday</b>" });
  await w.outcome(await w.call("ses_night", "web/POST", { scheme: "https", host: "api.example.com", port: 443, path: "/notes", body: `key AKIA${"A".repeat(16)} inside` }), "done");
  await w.open("ses_below", { parent: "ses_night", purpose: "help" });
  await w.outcome(await w.call("ses_below", "notes/write_note", { name: "copy", text: "x".repeat(700) }, { resources: [{ type: "Note", id: "copy" }] }), "failed", "upstream_unavailable");
  await w.call("ses_other", "notes/read_note", { name: "mine" }, { effect: "deny" });
  const denied = await w.call("ses_night", "notes/write_note", { name: "plan", text: "rest" }, { effect: "deny", policies: ["notes.no-plan"] });
  await w.append({ type: "breaker.trip", order: "stp_1", agent: "clerk", session: "ses_night", breaker: "denials", count: 5, limit: 5, window_ms: 60_000, what: null });
  await w.append({ type: "stop.order", id: "stp_1", kind: "quarantine", subject: { kind: "agent", name: "clerk" }, by: "lanyard", why: "breaker denials: 5 within 60 s", sessions: 2, cancelled: 1, voided: 0 });
  await w.append({ type: "alert.raise", id: "al_1", condition: "breaker", subject: "agent clerk", session: "ses_night", severity: "critical", route: "page", since_ms: w.clock.nowMs(), held: false, channels: ["ana-phone"], people: ["ana"] });
  await w.append({ type: "alert.acknowledge", id: "al_1", by: "user:ana" });
  await w.call("ses_night", "notes/write_note", { name: "b", text: "y" });
  await w.append({ type: "stop.order", id: "stp_2", kind: "stop", subject: { kind: "agent", name: "another" }, by: "operator", why: "not this one", sessions: 0, cancelled: 0, voided: 0 });
  await w.append({ type: "session.close", session: "ses_night", why: "done", actions: 5 });
  await w.append({ type: "stop.lift", id: "stp_1", kind: "quarantine", subject: { kind: "agent", name: "clerk" }, by: "user:ana", second: null });
  await w.append({ type: "undo.begin", undo: "un_1", session: "ses_night", to: null, actions: 1, as: "ses_restorer", by: "user:ana" });
  await w.outcome(await w.call("ses_restorer", "notes/restore_note", { name: "plan" }, { agent: "restorer" }));
  await w.append({ type: "undo.step", undo: "un_1", of: 8, session: "ses_night", verdict: "restored", why: "verified", calls: 1 });
  await w.append({ type: "undo.end", undo: "un_1", session: "ses_night", restored: 1, residue: 0, refused: 0, failed: 0 });
  await w.append({ type: "access.read", by: "operator", what: "log", from: 0, to: 9, times: 1 });
  return { ...w, denied };
}

test("the report of a ledger is the same bytes each time, as a page and as JSON", async () => {
  const [first, second] = [await (await night()).report("ses_night"), await (await night()).report("ses_night")];
  expect(json(first)).toBe(json(second));
  expect(incidentPage(first)).toBe(incidentPage(second));
  await expect(incidentPage(first)).toMatchFileSnapshot(join(root, "test/golden/incident.html"));
  await expect(`${JSON.stringify(first, null, 2)}\n`).toMatchFileSnapshot(join(root, "test/golden/incident.json"));
});

test("it holds what belongs to the session and those below it, and nothing of others; who read what stays out", async () => {
  const w = await night();
  const report = await w.report("ses_night");
  expect(report).toMatchObject({ format: "lanyard-incident/v1", agent: "clerk", user: "ben", purpose: "tidy up the notes", sessions: ["ses_night", "ses_below", "ses_restorer"], omitted: 0 });
  expect(report.records.map(({ type }) => type)).toEqual([
    "session.open", "decision", "outcome", "decision", "approval.request", "approval.deny", "decision", "outcome", "session.open", "decision", "outcome", "decision", "breaker.trip", "stop.order", "alert.raise",
    "alert.acknowledge", "decision", "session.close", "stop.lift", "undo.begin", "decision", "outcome", "undo.step", "undo.end",
  ]);
  expect(report.calls.filter(({ undone }) => undone !== null)).toMatchObject([{ seq: 8, undone: { verdict: "restored", why: "verified" } }]);
  expect(JSON.stringify(report)).not.toMatch(/ses_other|another|something else/);
  expect(report.touched).toEqual({
    servers: [{ name: "notes", calls: 4 }, { name: "web", calls: 1 }],
    resources: [{ name: "Note copy", calls: 1 }],
    hosts: [{ name: "api.example.com:443", calls: 1 }],
    credentials: [],
  });
  expect(report.calls.filter(({ open }) => open)).toHaveLength(1);
  await expect(w.report("ses_none")).rejects.toMatchObject({ code: "not_found" });
});

test("secrets are left out by what they look like and by their names, and long texts are cut", async () => {
  const report = await (await night()).report("ses_night");
  const text = JSON.stringify(report.calls);
  expect(text).not.toMatch(/AKIA|lyd_user_A/);
  expect(text).toContain("[an AWS access key, left out]");
  expect(text).toContain('"token":"[left out for its name]"');
  expect(text).toContain("[200 more characters, left out]");
});

test("a secret in a purpose, a comment, a resource or the name of an argument is left out too", async () => {
  const w = await incidentWorld();
  const key = `ghp_${"a1".repeat(20)}`;
  await w.open("ses_1", { purpose: `use ${key}` });
  await w.outcome(await w.call("ses_1", "notes/read", { [key]: 1, deep: [[{ list: [key] }]] }, { resources: [{ type: "Note", id: key }] }));
  expect(JSON.stringify(await w.report("ses_1"))).not.toContain(key);
});

test("of a private key nothing is left, whole or cut off; nor of arguments whose names say that they are secret", async () => {
  const w = await incidentWorld();
  await w.open("ses_1");
  const body = "MIIEvQIBADANBgkqhkiG9w0BAQEF";
  const pem = `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n${body}\n-----END RSA PRIVATE KEY-----`;
  const named = Object.fromEntries(["private_key", "passphrase", "clientSecretValue", "passwords", "db_pwd", "access-key", "session_cookies"].map((name) => [name, "hunter2"]));
  await w.outcome(await w.call("ses_1", "notes/write", { text: `before ${pem} after`, cut: pem.slice(0, 80), json: JSON.stringify({ key: pem }), monkey: "kept", keys: ["kept too"], ...named }));
  const text = JSON.stringify((await w.report("ses_1")).calls);
  expect(text).not.toMatch(/MIIEv|hunter2/);
  for (const kept of ["before [a private key, left out] after", '"monkey":"kept"', "kept too"]) expect(text).toContain(kept);
});

test("what was erased is told as erased, what does not match its commitment as that", async () => {
  const w = await incidentWorld();
  await w.open("ses_1");
  await w.outcome(await w.call("ses_1", "notes/read", { name: "a" }));
  await w.store.erase("user:ben", "operator", "asked to");
  const report = await w.report("ses_1");
  expect([report.purpose, report.calls[0]?.arguments, report.calls[0]?.arguments_state]).toEqual([null, null, "erased"]);
});

test("as many records as the limit are in a report, the first and the newest, and it says how many are not", async () => {
  const w = await incidentWorld({ limits: { incident_records: 4 } });
  await w.open("ses_1");
  const seqs = [];
  for (let n = 0; n < 5; n++) seqs.push(await w.call("ses_1", "notes/read", { n }, { effect: "deny" }));
  const report = await w.report("ses_1");
  expect(report.records.map(({ seq }) => seq)).toEqual([1, ...seqs.slice(-3)]);
  expect(report.omitted).toBe(2);
  expect(incidentPage(report)).toContain("2 older records are left out");
});

test("the JSON is checked by the verifier alone, elsewhere; a record that was changed, taken out or brought in is found", async () => {
  const report = await (await night()).report("ses_night");
  const folder = mkdtempSync(join(tmpdir(), "lanyard-incident-"));
  try {
    cpSync(join(root, "ledger/src/verify.ts"), join(folder, "verify.ts"));
    const run = (changed: object): string => {
      writeFileSync(join(folder, "incident.json"), `${json(changed)}\n`);
      try {
        return execFileSync(process.execPath, ["verify.ts", "incident.json", "--key", report.key], { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
      } catch (error) {
        return String((error as { stderr: string }).stderr).trim();
      }
    };
    expect(run(report)).toMatch(/^ok: 24 records of the incident are in lanyard.local\/golden at size \d+; only `records` is proven$/);
    const changed = (at: number, change: object) => ({ ...report, records: report.records.map((record, index) => (index === at ? { ...record, ...change } : record)) });
    expect(run(changed(1, { effect: "deny" }))).toMatch(/is not in the tree/);
    expect(run(changed(3, { seq: 4 }))).toMatch(/is not in the tree/);
    expect(run({ ...report, records: report.records.toSpliced(2, 1) })).toMatch(/is not in the tree/);
    expect(run({ ...report, records: [...report.records, report.records[0]] })).toMatch(/tlog-proof/);
    expect(run({ ...report, proofs: report.proofs.map((proof) => proof.replace(/\n— .*/s, "\n— lanyard.local/golden AAAAAAAA\n")) })).toMatch(/no trusted key|signature/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

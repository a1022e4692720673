import fc from "fast-check";
import { expect, test } from "vitest";
import { slackMessage } from "../../server/src/base/notify/slack.ts";
import { mailText } from "../../server/src/base/notify/smtp.ts";
import type { Notice } from "../../server/src/base/notify/notice.ts";
import { fieldsOf } from "../../server/src/edge/surfaces/card-notice.ts";
import type { ApprovalCard } from "../../server/src/stages/approval/card.ts";
import { rulingOf } from "../kits/approval.ts";
import { HttpReceiver } from "../kits/receivers.ts";
import { formKey, SurfacesWorld } from "../kits/surfaces.ts";

// Somebody on the network, in Slack, with a mail that is not theirs, or in the shape of the agent itself, tries to have a call approved that
// nobody approved. What counts is what is on record afterwards.

test("forged callbacks of Slack: another secret, no signature, another body, an old time, a time to come", async () => {
  await using w = await SurfacesWorld.start("[team]");
  await w.ask();
  const value = w.button("approve");
  const now = w.base.clock.nowMs();
  expect(await w.press(value, { secret: "guessed" })).toBe(401);
  expect(await w.press(value, { secret: "" })).toBe(401);
  for (const signature of ["", "v0=", `v0=${"0".repeat(64)}`, "v1=x"]) expect(await w.press(value, { signature })).toBe(401);
  expect(await w.press(value, { signed: "payload=%7B%7D" })).toBe(401);
  expect(await w.press(value, { atMs: now - 301_000 })).toBe(401);
  expect(await w.press(value, { atMs: now + 301_000 })).toBe(401);
  expect(await w.press(value, { atMs: Number.NaN })).toBe(401);
  expect(w.answers()).toEqual([]);
  await w.base.clock.advance(2000);
  expect(w.base.records("session.refused").reduce((sum, record) => sum + (record.type === "session.refused" && record.door === "slack" ? record.times : 0), 0)).toBe(10);
  expect(await w.press(value, { atMs: w.base.clock.nowMs() - 299_000 })).toBe(200);
  expect(w.answers()).toHaveLength(1);
});

test("a callback that was taken is not taken again, and what is remembered of them is bounded", async () => {
  await using w = await SurfacesWorld.start("[team]");
  await w.ask("a", { ruling: rulingOf(["2 of leads"]) });
  const value = w.button("approve");
  expect([await w.press(value), await w.press(value)]).toEqual([200, 409]);
  expect(w.answers()).toHaveLength(1);
  for (let n = 1; n < 16; n++) expect(await w.press(value, { comment: String(n) })).toBe(200);
  expect(await w.press(value, { comment: "one past the limit" })).toBe(413);
  await w.base.clock.advance(301_000);
  expect(await w.press(value, { comment: "later" })).toBe(200);
  expect(w.answers()).toHaveLength(1);
});

test("Slack users: unknown to lanyard.yaml, of another workspace, in no group, and the one the call is made for", async () => {
  await using w = await SurfacesWorld.start("[team]");
  await w.ask();
  const value = w.button("approve");
  for (const user of ["U00EVE", "", "ana", "__proto__"]) await w.press(value, { user });
  expect(w.toldInSlack()).toBe("Not answered: lanyard.yaml names no user for your Slack user.");
  await w.press(value, { workspace: "T0EVIL" });
  expect(w.toldInSlack()).toContain("this workspace is not the one");
  await w.press(value, { home: "T0GUEST" }); // of another company, in a channel shared with it
  expect(w.toldInSlack()).toContain("this workspace is not the one");
  await w.press(value, { user: "U00BEN" });
  expect(w.toldInSlack()).toContain("`ben` is in none of the groups needed");
  await w.press(value, { user: "U00ANA" });
  expect(w.toldInSlack()).toContain("may not answer for a call made on behalf of `ana`");
  expect(w.answers()).toEqual([]);
});

const buttonIn = (body: string): string => /approve\.apr_[\w-]+\.[\w-]{43}\.[\w-]{43}/.exec(body)?.[0] ?? "";

test("values of buttons: guessed, of another request, of another channel, of one that is over", async () => {
  await using w = await SurfacesWorld.start("[team, other]");
  const a = await w.ask("a");
  const [inTeam, inOther] = ["/api", "/services"].map((start) => buttonIn(w.slack.received.find(({ url }) => url.startsWith(start))?.body ?? "")) as [string, string];
  const b = await w.ask("b");
  const attempts = ["", "approve", `approve.${a}`, `approve.${a}.${"A".repeat(43)}.${"A".repeat(43)}`, inTeam.replace(a, b), inTeam.replace("approve", "deny"), inTeam.replaceAll("a".repeat(43), "b".repeat(43)), inOther, `${inTeam}\n`, inTeam.toUpperCase()];
  for (const value of attempts) {
    await w.press(value, { comment: value });
    expect(w.toldInSlack()).toBe("Not answered: this button is none of this channel's.");
  }
  expect(w.answers()).toEqual([]);
  await w.base.clock.advance(3_700_000);
  await w.press(inTeam);
  expect(w.toldInSlack()).toContain("it may have expired");
  expect(w.answers()).toEqual([]);
});

test("what a callback must be: a POST, to a Slack channel that can be answered, small, and in its form", async () => {
  await using w = await SurfacesWorld.start("[team]");
  await w.ask();
  expect(await w.slackCalls("team", "", { method: "GET" })).toBe(405);
  for (const channel of ["hook", "mail", "none", "..", "%2e%2e"]) expect(await w.slackCalls(channel, "payload={}")).toBe(404);
  expect(await w.slackCalls("team", `payload=${"x".repeat(65_536 - 8)}`)).toBe(400);
  expect(await w.slackCalls("team", `payload=${"x".repeat(65_536 - 7)}`)).toBe(413);
  for (const body of ["", "payload=", "payload=%7B", "payload={}", "payload=[]", "payload={}&payload={}", `payload=${"[".repeat(30_000)}`, "payload=%FF"]) expect(await w.slackCalls("team", body)).toBeGreaterThanOrEqual(400);
  const more = { type: "block_actions", user: { id: "U00LEA" }, team: { id: "T0HOME" }, actions: [{ value: w.button("approve") }, { value: w.button("deny") }] };
  expect(await w.slackCalls("team", `payload=${encodeURIComponent(JSON.stringify(more))}`)).toBe(400);
  expect(w.answers()).toEqual([]);
});

test("Slack's word for where to answer leads nowhere but to Slack", async () => {
  await using w = await SurfacesWorld.start("[team]");
  await using elsewhere = await HttpReceiver.start();
  await w.ask();
  const answerTo = (url: string) => ({ type: "block_actions", user: { id: "U00EVE" }, team: { id: "T0HOME" }, actions: [{ value: "x" }], response_url: url });
  for (const url of [elsewhere.url, "http://169.254.169.254/", "file:///etc/passwd", "https://hooks.slack.com.evil.example/", `${w.slack.url.replace("http://", "http://user@")}/x`]) {
    await w.slackCalls("team", `payload=${encodeURIComponent(JSON.stringify(answerTo(url)))}`);
  }
  await w.press(w.button("approve")); // Whatever was sent before this has arrived by now.
  expect(elsewhere.received).toEqual([]);
  expect(w.slack.received.filter(({ url }) => url === "/x")).toEqual([]);
});

test("looking at a link changes nothing, whoever looks and how often: mail scanners fetch everything", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  await w.ask();
  const path = w.link("lea@example.com");
  const before = w.base.store.size();
  for (const method of ["GET", "HEAD", "GET"]) expect((await w.visit(path, { method })).status).toBe(200);
  for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) expect((await w.visit(path, { method })).status).toBe(405);
  expect((await w.visit(`${path}/sign-in`)).status).toBe(405);
  expect((await w.visit(`${path}?verdict=approve&form=x`)).status).toBe(200);
  expect(w.base.store.size()).toBe(before);
  expect(w.base.approvals.list()).toHaveLength(1);
});

test("a link alone approves nothing: without a sign-in, with another person's, with an agent's, with none that is known", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  await w.ask("a", { ruling: rulingOf(["2 of leads", "sre"]) });
  const path = w.link("lea@example.com");
  expect((await w.submit(path, { verdict: "approve" })).status).toBe(403);
  const entry = formKey((await w.visit(path)).text);
  expect((await w.submit(path, { verdict: "approve", form: entry })).status).toBe(403);
  for (const credential of [await w.credential("sam"), await w.credential("ana"), "", "lyd_user_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "lea"]) {
    const answer = await w.submit(`${path}/sign-in`, { form: entry, credential });
    expect([answer.status, answer.headers.get("set-cookie")]).toEqual([403, null]);
    expect(answer.text).not.toContain("files/write");
  }
  expect(w.answers()).toEqual([]);
});

test("a link that is guessed, changed, for another request, or over shows nothing", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  await w.ask("a");
  const path = w.link("lea@example.com");
  const text = Buffer.from(path.slice("/approve/".length), "base64url").toString();
  const b = await w.ask("b");
  const changed = [text.replace("lea", "sam"), text.replace(/apr_[\w-]+/, b), text.replace("mail", "team"), `${text}x`, text.slice(0, -1), text.replace(" ", "\n")].map((one) => `/approve/${Buffer.from(one).toString("base64url")}`);
  for (const one of [...changed, "/approve/", "/approve/x", `/approve/${"A".repeat(5000)}`, `${path}.`, `${path}%00`]) {
    const { status, text: shown } = await w.visit(one);
    expect([one, status]).toEqual([one, 410]);
    expect(shown).not.toMatch(/credential|files\/write/i);
  }
  const { cookie, form } = await w.signIn(path, await w.credential("lea"));
  await w.base.clock.advance(3_600_000);
  expect((await w.submit(path, { form, verdict: "approve" }, { cookie })).status).toBe(410);
  expect(w.answers()).toEqual([]);
});

test("a link is used once, also by two at the same instant", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  await w.ask("a", { ruling: rulingOf(["2 of leads"]) });
  const path = w.link("lea@example.com");
  const secret = await w.credential("lea");
  const [one, other] = [await w.signIn(path, secret), await w.signIn(path, secret)];
  const answers = await Promise.all([w.submit(path, { form: one.form, verdict: "approve" }, one), w.submit(path, { form: other.form, verdict: "approve" }, other)]);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect((await w.visit(path)).status).toBe(410);
  expect((await w.submit(path, { form: other.form, verdict: "deny" }, other)).status).toBe(410);
  expect(w.answers()).toEqual(["approval.approve user:lea mail"]);
});

test("another site cannot send the form: its origin, no origin, a form of another sign-in, of another link", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  await w.ask("a");
  const path = w.link("lea@example.com");
  const secret = await w.credential("lea");
  const { cookie, form } = await w.signIn(path, secret);
  for (const origin of [null, "null", "https://evil.example", `${w.url}.evil.example`, w.url.replace("http:", "https:"), w.url.replace("127.0.0.1", "localhost")]) {
    expect((await w.submit(path, { form, verdict: "approve" }, { cookie, origin })).status).toBe(403);
    expect((await w.submit(`${path}/sign-in`, { form, credential: secret }, { origin })).status).toBe(403);
  }
  const again = await w.signIn(path, secret);
  await w.ask("b");
  const otherPath = w.link("lea@example.com");
  const other = await w.signIn(otherPath, secret);
  expect(otherPath).not.toBe(path);
  for (const key of ["", "x", again.form, other.form, formKey((await w.visit(path)).text)]) expect((await w.submit(path, { form: key, verdict: "approve" }, { cookie })).status).toBe(403);
  expect((await w.submit(path, { form: other.form, verdict: "approve" }, { cookie: other.cookie })).status).toBe(403);
  for (const verdict of ["", "yes", "Approve"]) expect((await w.submit(path, { form, verdict }, { cookie })).status).toBe(400);
  expect(w.answers()).toEqual([]);
  expect((await w.submit(path, { form, verdict: "approve" }, { cookie })).status).toBe(200);
});

test("a sign-in ends with its time, with its credential, and with the person's group", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  await w.ask("a", { ruling: rulingOf(["2 of leads"]) });
  const path = w.link("lea@example.com");
  const { key, secret } = await w.identity.issue("user", "lea", "operator");
  const old = await w.signIn(path, secret);
  await w.base.clock.advance(600_000);
  expect((await w.submit(path, { form: old.form, verdict: "approve" }, old)).status).toBe(403);
  const revoked = await w.signIn(path, secret);
  await w.identity.revoke(key, "operator");
  expect((await w.submit(path, { form: revoked.form, verdict: "approve" }, revoked)).status).toBe(403);
  const left = await w.signIn(path, await w.credential("lea"));
  w.base.live.config = { ...w.base.live.config, users: new Map([...w.base.live.config.users, ["lea", { groups: [] }]]) };
  expect((await w.submit(path, { form: left.form, verdict: "approve" }, left)).status).toBe(410);
  expect(w.answers()).toEqual([]);
});

test("forms that are too large, doubled, or no forms are refused", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  await w.ask();
  const path = w.link("lea@example.com");
  const { cookie, form } = await w.signIn(path, await w.credential("lea"));
  const send = (body: string, type = "application/x-www-form-urlencoded") => fetch(`${w.url}${path}`, { method: "POST", body, headers: { cookie, origin: w.url, "content-type": type } }).then(({ status }) => status);
  expect(await send(`form=${form}&verdict=approve&comment=${"x".repeat(65_537)}`)).toBe(413);
  expect(await send(`form=${form}&verdict=approve&verdict=deny`)).toBe(400);
  expect(await send(`form=${form}&verdict=approve`, "text/plain")).toBe(400);
  expect(await send(`form=${form}&verdict=approve&comment=%FF`)).toBe(200); // The URL standard reads it as a replacement character.
  expect(w.answers()).toHaveLength(1);
});

const nasty = "</pre><script>alert(1)</script>\r\nBcc: eve@example.com\r\n\r\n<!channel> <@U00LEA> <https://evil.example|Approve> *bold* ```\u202eevil\u0000";

test("an agent's words are text on the page, in Slack, in mails and in their headers", async () => {
  await using w = await SurfacesWorld.start("[team, mail]");
  await w.ask(nasty);
  const { text } = await w.signIn(w.link("lea@example.com"), await w.credential("lea"));
  expect(text).toContain("&lt;/pre&gt;&lt;script&gt;alert(1)");
  expect(text).not.toMatch(/<script|<!channel|\u202e|\u0000/);
  const [mail] = w.mail.received;
  expect(mail?.raw.slice(0, mail.raw.indexOf("\r\n\r\n"))).not.toMatch(/^Bcc:/im);
  expect(mail?.to).toEqual(["lea@example.com"]);
});

test("what is too long to be shown has no buttons, and the page shows it to its end", async () => {
  await using w = await SurfacesWorld.start("[team, mail]");
  for (const [mark, ending] of [["harmless ".repeat(400), "rm -rf /"], ["harmless\n".repeat(300), "drop table users"], ["\u200b".repeat(300), "hidden"]] as const) {
    await w.ask(`${mark}${ending}`);
    const { body } = w.slack.received.findLast(({ url }) => url === "/api/chat.postMessage") ?? { body: "" };
    expect(body).toContain("too long for a message");
    expect(buttonIn(body)).toBe("");
    const { text } = await w.signIn(w.link("lea@example.com"), await w.credential("lea"));
    expect(text).toContain(ending);
    expect(text).toContain('value="approve"');
  }
});

test("the name of an argument cannot pass for another argument, nor a thing in a list for another thing", async () => {
  const card = { action: "a/b", effect: ["path\nmode: read: x"], args: {}, resources: ['File::"a"\nFile::"b"'], reasons: [], read: [], given: [], missing: ["leads"], transforms: [], beside: null } as unknown as ApprovalCard;
  const fields = new Map(fieldsOf(card));
  expect([fields.get("effect"), fields.get("touches")]).toEqual(["path\\u{A}mode: read: x", 'File::"a"\\u{A}File::"b"']);
});

/** Every text object of a Slack message that Slack would read as markup. */
function markup(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = (value as { type?: unknown }).type === "mrkdwn" ? [JSON.stringify(value)] : [];
  return [...own, ...Object.values(value).flatMap(markup)];
}

test("whatever a notice says: Slack gets no markup but escaped text, a mail's header is one line, its body keeps foreign words behind a bar", () => {
  const foreign = fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.constantFrom(nasty, "<!here>", "\r\nTo: x", "&lt;", "`".repeat(9)));
  fc.assert(
    fc.property(foreign, fc.array(foreign, { maxLength: 3 }), fc.array(fc.tuple(foreign, foreign), { maxLength: 3 }), (title, lines, fields) => {
      const notice: Notice = { id: "n", kind: "alert", severity: "info", dedup: "n", title, lines, fields, commands: [], link: null, data: {} };
      const message = slackMessage(notice, true);
      expect(markup(message)).toEqual([]);
      expect(String(message["text"])).not.toMatch(/[<>]/);
      expect(JSON.stringify(message)).not.toMatch(/\\u0000|\u202e/);
      const body = mailText(notice).split("\r\n");
      expect(body.every((line) => line === "" || line.startsWith("  | ") || line.endsWith(":") || line.startsWith("Lanyard never"))).toBe(true);
      expect(mailText(notice).replaceAll("\r\n", "")).not.toMatch(/[\r\n\0\u202e]/);
    }),
    { numRuns: 50 },
  );
});

test("two who answer at the same instant on two surfaces: one counts", async () => {
  await using w = await SurfacesWorld.start("[team, mail]");
  const call = await w.base.call({ ruling: rulingOf(["leads"]) });
  await w.delivered();
  const path = w.link("lea@example.com");
  const signIn = await w.signIn(path, await w.credential("lea"));
  w.base.live.config = { ...w.base.live.config, users: new Map([...w.base.live.config.users, ["sam", { groups: ["leads"], slack: "U00SAM" }]]) };
  await Promise.all([w.press(w.button("deny"), { user: "U00SAM" }), w.submit(path, { form: signIn.form, verdict: "approve" }, signIn)]);
  const answers = w.answers();
  expect(answers).toHaveLength(1);
  expect(await call.done).toMatchObject({ kind: answers[0]?.startsWith("approval.deny") ? "denied" : "approved" });
});

test("after a stop the buttons and links of its requests are worth nothing", async () => {
  await using w = await SurfacesWorld.start("[team, mail]");
  await w.ask();
  const path = w.link("lea@example.com");
  const signIn = await w.signIn(path, await w.credential("lea"));
  await w.base.approvals.void(() => true, "stop_1");
  await w.press(w.button("approve"));
  expect(w.toldInSlack()).toContain("it may have expired");
  expect((await w.submit(path, { form: signIn.form, verdict: "approve" }, signIn)).status).toBe(410);
  expect(w.answers()).toEqual([]);
  await w.delivered();
  expect(w.slack.received.some(({ url, body }) => url === "/api/chat.update" && body.includes("taken back by a stop"))).toBe(true);
});

test("a callback that is sent again after a restart, which has forgotten it, counts no second time", async () => {
  await using w = await SurfacesWorld.start("[team]");
  await w.ask("a", { ruling: rulingOf(["2 of leads"]) });
  const value = w.button("approve");
  await w.press(value);
  await w.restart();
  await w.press(value);
  expect(w.toldInSlack()).toContain("has approved");
  expect(w.answers()).toHaveLength(1);
});

test("whatever Slack's secret signs and whatever a browser sends, it ends in an answer of 2xx to 4xx, and nothing is approved", async () => {
  await using w = await SurfacesWorld.start("[team, mail]");
  w.base.live.config = { ...w.base.live.config, limits: { ...w.base.live.config.limits, callbacks: 100_000 } };
  await w.ask();
  const path = w.link("lea@example.com");
  const signIn = await w.signIn(path, await w.credential("lea"));
  const value = w.button("approve");
  const part = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.constantFrom(value, value.slice(0, -1), "approve", "block_actions", "U00ANA", signIn.form));
  const payload = fc.oneof(part, fc.json(), fc.record({ type: fc.constant("block_actions"), user: fc.record({ id: part }), team: fc.record({ id: fc.constantFrom("T0HOME", "x") }), actions: fc.array(fc.record({ value: part }), { maxLength: 2 }) }).map((one) => JSON.stringify(one)));
  const form = fc.dictionary(fc.constantFrom("form", "verdict", "comment", "credential", "x"), fc.oneof(part, fc.constant("approved")));
  await fc.assert(
    fc.asyncProperty(payload, form, part, async (said, fields, cookie) => {
      const status = await w.slackCalls("team", `payload=${encodeURIComponent(said.toWellFormed())}`);
      const well = Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, text.toWellFormed()]));
      const page = await w.submit(path, { ...well, verdict: "maybe" }, { cookie: Math.abs(said.length % 2) === 0 ? signIn.cookie : encodeURIComponent(cookie.toWellFormed()) });
      const entry = await w.submit(`${path}/sign-in`, well);
      for (const one of [status, page.status, entry.status]) expect(one).toBeLessThan(500);
    }),
    { numRuns: 30 },
  );
  expect(w.answers()).toEqual([]);
});

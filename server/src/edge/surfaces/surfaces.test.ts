import { expect, test } from "vitest";
import { rulingOf } from "../../../../test/kits/approval.ts";
import { settled } from "../../../../test/kits/clock.ts";
import { SurfacesWorld } from "../../../../test/kits/surfaces.ts";
import { slackSignature } from "./slack-callback.ts";

test("a request is told to the channels of its groups, with what it is, and so is its end", async () => {
  await using w = await SurfacesWorld.start("[team, hook]");
  const id = await w.ask();
  const [card] = w.slack.received.filter(({ url }) => url === "/api/chat.postMessage");
  expect(card?.body).toContain("coder asks to call files/write");
  expect(card?.body).toContain("path: a");
  const hook = w.slack.received.find(({ url }) => url === "/hook");
  expect(JSON.parse(hook?.body ?? "{}")).toMatchObject({ type: "lanyard.approval", data: { id, data: { id, action: "files/write", agent: "coder", groups: ["leads"] } } });
  await w.base.approvals.decide(id, "approve", { user: "lea", via: null }, "");
  await w.delivered();
  const ends = w.slack.received.filter(({ body }) => body.includes("approved by lea"));
  expect(ends.map(({ url }) => url).toSorted()).toEqual(["/api/chat.update", "/hook"]);
  expect(w.slack.received).toHaveLength(4);
});

test("which channels: by the groups that are asked, `*` for the others", async () => {
  await using w = await SurfacesWorld.start("{ sre: [hook], \"*\": [other] }");
  await w.ask("a");
  expect(w.slack.received.map(({ url }) => url)).toEqual(["/services/secret"]);
  await w.ask("b", { ruling: rulingOf(["sre"]) });
  expect(w.slack.received.map(({ url }) => url)).toEqual(["/services/secret", "/hook"]);
});

test("identical requests are one message; when the first is answered, the next is asked", async () => {
  await using w = await SurfacesWorld.start("[team]");
  const first = await w.ask("a");
  await w.ask("a", { session: "s2" });
  expect(w.slack.received.filter(({ url }) => url === "/api/chat.postMessage")).toHaveLength(1);
  await w.base.approvals.decide(first, "approve", { user: "lea", via: null }, "");
  await w.delivered();
  expect(w.slack.received.map(({ url }) => url)).toEqual(["/api/chat.postMessage", "/api/chat.postMessage", "/api/chat.update"]);
});

test("Slack: a press answers as the user that the Slack user is, with the comment, and the message changes", async () => {
  await using w = await SurfacesWorld.start("[team]");
  const call = await w.base.call();
  await w.delivered();
  expect(await w.press(w.button("deny"), { comment: "not on a Friday" })).toBe(200);
  expect(await call.done).toMatchObject({ kind: "denied", by: "lea", comment: "not on a Friday" });
  expect(w.answers()).toEqual(["approval.deny user:lea team"]);
  expect(w.toldInSlack()).toBe("You said deny.");
  await w.delivered();
  const last = w.slack.received.at(-1);
  expect(last?.url).toBe("/api/chat.update");
  expect(last?.body).toContain("denied by lea");
  expect(last?.body).not.toContain('"action_id"');
});

test("Slack: the signature of the example in their documentation", () => {
  const body =
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
    "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
  expect(slackSignature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", Buffer.from(body))).toBe("v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
});

test("a quorum: each yes counts once, the message says what is missing, and the call goes on after the last", async () => {
  await using w = await SurfacesWorld.start("[team]");
  const call = await w.base.call({ ruling: rulingOf(["leads", "sre"]) });
  await w.delivered();
  await w.press(w.button("approve"));
  expect(w.toldInSlack()).toBe("Your yes counts. Still missing: sre.");
  await w.delivered();
  expect(w.slack.received.at(-1)?.url).toBe("/api/chat.update");
  await w.press(w.button("approve"), { user: "U00SAM" });
  expect(await call.done).toMatchObject({ kind: "approved" });
});

test("mail: who may answer gets a link of their own; the page shows the card after the sign-in, and the answer counts", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  const call = await w.base.call({ ruling: rulingOf(["leads", "sre"]) });
  await w.delivered();
  expect(w.mail.received.map(({ to }) => to.join()).toSorted()).toEqual(["lea@example.com", "sam@example.com"]);
  const path = w.link("lea@example.com");
  const entry = await w.visit(path);
  expect(entry.status).toBe(200);
  expect(entry.text).not.toMatch(/files\/write|coder/);
  const { cookie, form, text } = await w.signIn(path, await w.credential("lea"));
  expect(text).toContain("coder asks to call files/write");
  expect(text).toContain("<pre>path: a</pre>");
  expect(text).not.toMatch(/<script|src=|href=|https?:/);
  const answer = await w.submit(path, { form, verdict: "approve", comment: "looks right" }, { cookie });
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining("Still missing: sre")]);
  const sam = w.link("sam@example.com");
  const second = await w.signIn(sam, await w.credential("sam"));
  expect((await w.submit(sam, { form: second.form, verdict: "approve" }, { cookie: second.cookie })).text).toContain("The agent may go on");
  expect(await call.done).toMatchObject({ kind: "approved", approval: { said: [{ by: "lea", comment: "looks right" }] } });
  expect(w.answers()).toEqual(["approval.approve user:lea mail", "approval.approve user:sam mail"]);
});

test("the page is strict: nothing loaded, nothing run, nothing kept, not framed", async () => {
  await using w = await SurfacesWorld.start("[mail]");
  await w.ask();
  const { headers } = await w.visit(w.link("lea@example.com"));
  expect(headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/);
  expect(Object.fromEntries(["cache-control", "referrer-policy", "x-content-type-options", "x-frame-options"].map((name) => [name, headers.get(name)]))).toEqual({
    "cache-control": "no-store", "referrer-policy": "same-origin", "x-content-type-options": "nosniff", "x-frame-options": "DENY",
  });
  const { secret } = await w.identity.issue("user", "lea", "operator");
  const entry = await w.visit(w.link("lea@example.com"));
  const form = /value="([\w-]+)"/.exec(entry.text)?.[1] ?? "";
  const { headers: given, status } = await w.submit(`${w.link("lea@example.com")}/sign-in`, { form, credential: secret });
  expect([status, given.get("set-cookie")]).toEqual([303, expect.stringMatching(/^lanyard-sign-in=[\w-]{43}; Path=\/approve\/[\w-]+; HttpOnly; SameSite=Strict$/)]);
});

test("restart while pending: nobody is told twice, and buttons and links that are out still work", async () => {
  await using w = await SurfacesWorld.start("[team, mail]");
  await w.ask();
  await w.restart();
  await w.delivered();
  expect(w.base.records("notice.post")).toHaveLength(2);
  const { cookie, form } = await w.signIn(w.link("lea@example.com"), await w.credential("lea"));
  await w.restart();
  // The sign-in is over, the link is not.
  expect((await w.submit(w.link("lea@example.com"), { form, verdict: "approve" }, { cookie })).status).toBe(403);
  expect(await w.press(w.button("approve"))).toBe(200);
  expect(w.answers()).toEqual(["approval.approve user:lea team"]);
});

test("what ended while the daemon was down is told as over when it is back", async () => {
  await using w = await SurfacesWorld.start("[team]");
  await w.ask();
  await w.base.clock.advance(3_700_000);
  await w.delivered();
  expect(w.slack.received.at(-1)?.body).toContain("expired without an answer");
  const id = await w.ask("b");
  const { approvals } = w.base;
  await approvals[Symbol.asyncDispose](); // Nobody hears of what follows.
  await w.base.store.append({ type: "approval.expire", id }, { state: [{ kind: "approval", key: id, value: null }] });
  await w.restart();
  await w.base.clock.advance(30_000);
  await w.delivered();
  expect(w.slack.received.at(-1)?.body).toContain(`Approval ${id}: over`);
});

test("a channel that fails is no reason for another not to hear, nor for the call not to be held", async () => {
  await using w = await SurfacesWorld.start("[team, mail]");
  w.slack.usual = { status: 503 };
  const call = await w.base.call();
  await settled();
  await expect.poll(() => w.mail.received.length).toBe(1);
  expect(call.ended()).toBeNull();
  w.slack.usual = { body: JSON.stringify({ ok: true, channel: "C0TEAM", ts: "1.2" }) };
  await w.base.clock.advance(2000);
  await w.delivered();
  expect(w.button("approve")).not.toBe("");
});

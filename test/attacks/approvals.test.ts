import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { approveCatalog, until } from "../daemon.ts";
import { Asking } from "./asking.ts";

// A yes is for one call, as it was shown, by somebody who may say it, once. Here an agent, and people, try for more.

let at: Asking;
beforeAll(async () => void (at = await Asking.open()), 60_000);
afterAll(() => at?.[Symbol.asyncDispose]());

const pending = expect.stringContaining("Pending approval");
let made = 0;
/** A payment that nobody else makes, pending. */
async function waiting(tool: "pay" | "close" = "pay"): Promise<{ token: string; to: string; retry(): Promise<string> }> {
  const token = await at.session();
  const to = `DE${made++}`;
  const retry = () => at.call(token, tool, { to });
  expect(await retry()).toEqual(pending);
  return { token, to, retry };
}

test("one's own: not who is acted for, not who runs the agent, no other group, no agent, no session, not the operator", async () => {
  const { token, to, retry } = await waiting();
  const { id } = await at.cardOf(to);
  for (const user of ["ben", "rob", "sam", "cleo"]) expect(await at.verdict(user, id)).toBe("forbidden");
  const approve = { at: { id }, body: { verdict: "approve" } };
  for (const client of [at.operator, at.as("bot"), at.world.operator(token)]) expect(await at.code(client.call("approval_decide", approve))).toBe("forbidden");
  expect(await at.code(at.world.operator("lyd_user_forged").call("approval_decide", approve))).toBe("unauthenticated");
  expect(await at.cards("rob")).toEqual([]);
  expect(await retry()).toEqual(pending);
  expect(at.effects()).not.toContain(to);
});

test("another request's digest: what was shown must be what is answered", async () => {
  const [mine, other] = [await waiting(), await waiting()];
  const [shown, swapped] = [await at.cardOf(mine.to, "lea"), await at.cardOf(other.to, "lea")];
  expect(await at.verdict("lea", swapped.id, "approve", { digest: shown.digest })).toBe("conflict");
  expect(await at.verdict("lea", shown.id, "approve", { digest: shown.digest, comment: "once, Ben" })).toBe("ok");
  expect(await other.retry()).toEqual(pending);
  expect(await mine.retry()).toBe("done by bank\nApproved by lea: once, Ben");
  expect(at.effects()).not.toContain(other.to);
});

test("a replay: used once, answered once", async () => {
  const { to, retry } = await waiting();
  const { id } = await at.cardOf(to);
  expect(await at.verdict("lea", id)).toBe("ok");
  expect(await at.verdict("lou", id)).toBe("conflict");
  const ends = await Promise.all([retry(), retry(), retry()]);
  expect(ends.filter((end) => end.startsWith("done by bank"))).toHaveLength(1);
  expect(await at.verdict("lea", id)).toBe("not_found");
  expect(await retry()).toEqual(pending);
  expect(at.effects().filter((one) => one === to)).toHaveLength(1);
});

test("other arguments, another tool, another session: each is another call", async () => {
  const { token, to, retry } = await waiting();
  expect(await at.verdict("lea", (await at.cardOf(to)).id)).toBe("ok");
  expect(await at.call(token, "pay", { to: `${to}0` })).toEqual(pending);
  expect(await at.call(token, "pay", { to, note: "" })).toEqual(pending);
  expect(await at.call(token, "close", { to })).toEqual(pending);
  expect(await at.call(await at.session(), "pay", { to })).toEqual(pending);
  expect(await at.call(await at.session("other"), "pay", { to })).toEqual(pending);
  expect(at.effects()).not.toContain(to);
  expect(await retry()).toContain("done by bank");
});

test("the policy changes between the yes and the call", async () => {
  const { to, retry } = await waiting();
  const { id } = await at.cardOf(to);
  expect(await at.verdict("lea", id)).toBe("ok");
  const before = (await at.records("bundle.activate")).length;
  at.world.policy("q.cedar", '@id("harmless") permit (principal == Agent::"nobody", action, resource);\n');
  await until(async () => (await at.records("bundle.activate")).length > before, "the other policies are in force");
  expect(await retry()).toEqual(pending);
  expect(await at.records("approval.expire")).toContainEqual(expect.objectContaining({ id, why: "bundle" }));
  expect(at.effects()).not.toContain(to);
});

test("the tool's definition changes between the yes and the call", async () => {
  const { to, retry } = await waiting();
  const { id } = await at.cardOf(to);
  expect(await at.verdict("lea", id)).toBe("ok");
  at.bank.tools = at.bank.tools.map((tool) => ({ ...tool, description: "Pays twice." }));
  await at.session().then((token) => at.call(token, "pay", { to: "" })); // a new connection looks at the tools
  await until(async () => (await retry()).includes("quarantined"), "the change was seen");
  await approveCatalog(at.operator, "bank");
  expect(await retry()).toEqual(pending);
  expect(at.effects()).not.toContain(to);
});

test("a fact changes between the yes and the call", async () => {
  const { to, retry } = await waiting();
  const { id } = await at.cardOf(to);
  expect(await at.verdict("lea", id)).toBe("ok");
  const before = (await at.records("config.change")).length;
  at.config((text) => text.replace("ben: { groups: [leads] }", "ben: { groups: [leads, sre] }"));
  await until(async () => (await at.records("config.change")).length > before, "the other configuration is in force");
  expect(await retry()).toEqual(pending);
  expect((await at.records("approval.expire")).find((record) => record["id"] === id)?.["why"]).toMatch(/^(?:facts|bundle)$/);
  expect(at.effects()).not.toContain(to);
});

describe("a session reads on between the yes and the call", () => {
  const answered = async (...before: string[]) => {
    const { token, to, retry } = await waiting();
    const first = await at.cardOf(to);
    const mark = (...labels: string[]) => at.operator.call("session_mark", { at: { id: first.requests[0]?.session ?? "" }, body: { labels } });
    if (before.length > 0) await mark(...before).then(retry);
    const { id } = await at.cardOf(to);
    expect(await at.verdict("lea", id)).toBe("ok");
    return { token, to, retry, id, mark };
  };

  test("a label that no policy speaks of changes nothing of what was asked: nobody is asked again", async () => {
    const { retry, mark } = await answered();
    await mark("weather", "untrusted");
    expect(await retry()).toContain("done by bank");
  });

  test("a policy that speaks against it now, though the same people could lift it: they have not, and are asked again", async () => {
    const { to, retry, id, mark } = await answered();
    await mark("seen");
    expect(await retry()).toEqual(pending);
    expect(await at.records("approval.expire")).toContainEqual(expect.objectContaining({ id, why: "reasons" }));
    expect(at.effects()).not.toContain(to);
    const again = await at.cardOf(to);
    expect(again).toMatchObject({ reasons: [{ policy: "pay" }, { policy: "pay-seen" }] });
    expect(await at.verdict("lea", again.id)).toBe("ok");
    expect(await retry()).toContain("done by bank");
  });

  test("another ground of a policy that asked before is another reason", async () => {
    const { to, retry, mark } = await answered("odd");
    await mark("worse");
    expect(await retry()).toEqual(pending);
    expect(at.effects()).not.toContain(to);
  });

  test("a policy that nothing lifts denies", async () => {
    const { to, retry, mark } = await answered();
    await mark("sealed");
    expect(await retry()).toContain("What is sealed pays nobody.");
    expect(at.effects()).not.toContain(to);
  });

  test("who waits in the open call is no way around it either", async () => {
    const { to, token } = await waiting();
    const { id, requests } = await at.cardOf(to);
    const open = at.call(token, "pay", { to });
    await at.operator.call("session_mark", { at: { id: requests[0]?.session ?? "" }, body: { labels: ["seen"] } });
    await at.verdict("lea", id);
    expect(await open).toEqual(pending);
    expect(at.effects()).not.toContain(to);
  });
});

test("a race of approvers: a quorum counts people, and of a yes and a no at once one is first", async () => {
  const two = await waiting("close");
  const { id } = await at.cardOf(two.to);
  expect((await Promise.all(["sam", "sam", "sam"].map((user) => at.verdict(user, id)))).toSorted()).toEqual(["conflict", "conflict", "ok"]);
  expect(await two.retry()).toEqual(pending);
  expect((await Promise.all(["sue", "sue"].map((user) => at.verdict(user, id)))).toSorted()).toEqual(["conflict", "ok"]);
  expect(await two.retry()).toContain("done by bank");
  const raced = await waiting();
  const card = await at.cardOf(raced.to);
  const [yes, no] = await Promise.all([at.verdict("lea", card.id), at.verdict("lou", card.id, "deny", { comment: "not today" })]);
  expect([yes, no].toSorted()).toEqual(["conflict", "ok"]);
  const end = await raced.retry();
  if (yes === "ok") expect(end).toContain("done by bank");
  else expect(end).toContain("lou denied approval");
});

test("approve after stop: what waited is void, and a yes given before it does not count", async () => {
  const [open, answered] = [await waiting(), await waiting()];
  const ids = [(await at.cardOf(open.to)).id, (await at.cardOf(answered.to)).id];
  expect(await at.verdict("lea", ids[1] ?? "")).toBe("ok");
  await at.operator.call("stop_order", { body: { kind: "stop", subject: "agent", name: "bot", why: "test" } });
  for (const id of ids) expect(await at.verdict("lou", id)).toBe("not_found");
  await at.operator.call("stop_lift", { body: { subject: "agent", name: "bot" } });
  for (const { retry, to } of [open, answered]) {
    expect(await retry()).not.toContain("done by bank");
    expect(at.effects()).not.toContain(to);
  }
  expect((await at.records("approval.void")).map((record) => record["id"])).toEqual(expect.arrayContaining(ids));
});

test("restart while pending: the card outlives a crash, and so does a yes, which is still used once", async () => {
  const [open, answered] = [await waiting(), await waiting()];
  const before = await at.cardOf(open.to);
  expect(await at.verdict("lea", (await at.cardOf(answered.to)).id, "approve", { comment: "fine" })).toBe("ok");
  await at.crash();
  expect(await at.cardOf(open.to)).toEqual(before);
  // The policies fit the catalog again once the server has shown its tools; until then a call is refused, and no yes is lost by that.
  await until(async () => (await at.call(await at.session(), "pay", { to: "probe" })).includes("Pending approval"), "the daemon decides as before");
  expect(await answered.retry()).toBe("done by bank\nApproved by lea: fine");
  expect(await answered.retry()).toEqual(pending);
  expect(await at.verdict("lea", before.id)).toBe("ok");
  expect(await open.retry()).toContain("done by bank");
  expect(at.effects().filter((to) => to === open.to || to === answered.to)).toHaveLength(2);
});

test("limit approval_streams: at the limit yes, one past it no; a reader who goes makes room", async () => {
  const follow = (signal: AbortSignal) => fetch(`${at.url}/v1/approvals/events`, { signal, headers: { authorization: `Bearer ${at.credential("lea")}` } });
  const readers = [new AbortController(), new AbortController()];
  for (const { signal } of readers) expect((await follow(signal)).status).toBe(200);
  expect((await follow(new AbortController().signal)).status).toBe(413);
  readers[0]?.abort();
  const last = new AbortController();
  await until(async () => (await follow(last.signal)).status === 200, "there is room again");
  for (const one of [...readers, last]) one.abort();
});

test("every decision that an approval had a part in decides the same again from the record alone", async () => {
  const found: Record<string, number> = {};
  for await (const { kind } of at.operator.lines<{ kind: string }>("replay", { body: { from: 0 } })) found[kind] = (found[kind] ?? 0) + 1;
  expect(found["same"]).toBeGreaterThan(10);
  expect(found["differs"]).toBeUndefined();
});

test("what one hears of approvals is what concerns them, and a credential that is revoked hears no more", async () => {
  const operator = at.operator;
  const issued = await operator.call<{ key: string; secret: string }>("credential_issue", { body: { kind: "user", name: "lea" } });
  const stream = await fetch(`${at.url}/v1/approvals/events`, { headers: { authorization: `Bearer ${issued.secret}` } });
  expect(stream.headers.get("content-type")).toBe("text/event-stream");
  let heard = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream.body ?? []) heard += decoder.decode(chunk as Uint8Array, { stream: true });
  })();
  await until(() => heard.includes('"kind":"open"'), "the stream has begun");
  const foreign = await waiting("close");
  const own = await waiting();
  const { id } = await at.cardOf(own.to);
  await until(() => heard.includes(id), "the card was heard of");
  expect(await at.verdict("lou", id, "deny")).toBe("ok");
  await until(() => heard.includes('"how":"deny"'), "the answer was heard of");
  expect(heard).not.toContain(foreign.to);
  await operator.call("credential_revoke", { at: { id: issued.key } });
  await waiting();
  await reading;
  expect((await fetch(`${at.url}/v1/approvals/events`, { headers: { authorization: `Bearer ${issued.secret}` } })).status).toBe(401);
  expect((await fetch(`${at.url}/v1/approvals/events`, { headers: { authorization: `Bearer ${at.credential("bot")}` } })).status).toBe(403);
});


import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Client } from "../../server/src/cli/client.ts";
import { approveCatalog, callTool, DaemonProcess, World } from "../daemon.ts";
import { notesServer, notesYaml, type Notes } from "../kits/notes.ts";

// Undo judges by states that it reads itself, overwrites nobody's work, and is no way around policy.

let notes: Notes;
let world: World;
let daemon: DaemonProcess;
let operator: Client;

const policy = (restorer = "") => ({
  "p.cedar": `
@id("agents") permit (principal == Agent::"bot", action, resource) when { context.reversibility != "irreversible" };
@id("publish") permit (principal == Agent::"bot", action == Action::"notes/publish", resource);
@id("restorer") permit (principal == Agent::"restorer", action, resource);
${restorer}`,
});

beforeAll(async () => {
  notes = await notesServer();
  world = new World({ yaml: `${notesYaml(notes.url)}\nlimits: { hold_ms: 200 }\n`, policies: policy() });
  daemon = await DaemonProcess.start(world);
  operator = world.operator();
  await approveCatalog(operator, "notes");
});
afterAll(async () => {
  await daemon?.stop();
  world?.[Symbol.dispose]();
  await notes?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  notes.before = () => {};
  notes.notes.clear();
});

interface Line {
  readonly kind: string;
  readonly seq: number;
  readonly verdict: string;
  readonly why: string;
  readonly says: string;
  readonly [key: string]: unknown;
}

class Agent {
  readonly session: string;
  readonly #token: string;

  private constructor(session: string, token: string) {
    this.session = session;
    this.#token = token;
  }

  static async open(): Promise<Agent> {
    const { session, token } = await operator.call<{ session: string; token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "cleo", purpose: "test" } });
    return new Agent(session, token);
  }

  async call(name: string, args: Record<string, unknown>): Promise<string> {
    const { body } = await callTool(daemon.url, this.#token, name, args);
    return body.result?.isError ? `refused: ${body.result.content?.[0]?.text ?? ""}` : "done";
  }

  end = () => operator.call("session_close", { at: { id: this.session } });
}

const undo = async (session: string, body: Record<string, number | boolean> = {}, as = operator): Promise<Line[]> => {
  const lines: Line[] = [];
  for await (const line of as.lines<Line>("undo", { at: { id: session }, body })) lines.push(line);
  return lines;
};
const verdicts = (lines: readonly Line[]): string[] => lines.filter(({ kind }) => kind === "step").map(({ verdict, why }) => `${verdict} ${why}`);
const state = () => Object.fromEntries(notes.notes);

describe("undo", () => {
  test("takes back newest first until all is as it was, and a second time does no harm", async () => {
    notes.notes.set("a", "one").set("b", "two");
    const agent = await Agent.open();
    for (const [tool, args] of [["set", { key: "a", text: "x" }], ["set", { key: "a", text: "y" }], ["set", { key: "new", text: "z" }], ["remove", { key: "b" }], ["swap", { key: "a", other: "new" }], ["get", { key: "a" }]] as const) {
      expect(await agent.call(tool, args)).toBe("done");
    }
    expect(state()).toEqual({ a: "z", new: "y" });
    await agent.end();
    const dry = await undo(agent.session, { dry_run: true });
    expect(verdicts(dry)).toEqual(["restored would", "restored would", "restored would", "restored would", "restored would"]);
    expect(state()).toEqual({ a: "z", new: "y" });
    const lines = await undo(agent.session);
    expect(verdicts(lines)).toEqual(Array.from({ length: 5 }, () => "restored verified"));
    expect(lines.at(-1)).toMatchObject({ kind: "end", restored: 5, residue: 0, refused: 0, failed: 0 });
    expect(state()).toEqual({ a: "one", b: "two" });
    const before = notes.calls().length;
    expect(verdicts(await undo(agent.session))).toEqual(Array.from({ length: 5 }, () => "restored already"));
    expect(notes.calls().length).toBe(before);
  });

  test("down to an entry, which stays", async () => {
    const agent = await Agent.open();
    await agent.call("set", { key: "a", text: "1" });
    await agent.call("set", { key: "a", text: "2" });
    await agent.end();
    const [first] = (await undo(agent.session, { dry_run: true })).filter(({ kind }) => kind === "step").toReversed();
    expect(verdicts(await undo(agent.session, { to: first?.seq ?? 0 }))).toEqual(["restored verified"]);
    expect(state()).toEqual({ a: "1" });
  });

  test("overwrites nothing that somebody else changed since, nor what lies below it", async () => {
    const agent = await Agent.open();
    await agent.call("set", { key: "a", text: "1" });
    await agent.call("set", { key: "a", text: "2" });
    await agent.call("set", { key: "b", text: "3" });
    await agent.end();
    notes.notes.set("a", "theirs");
    expect(verdicts(await undo(agent.session, { dry_run: true }))).toEqual(["restored would", "refused changed", "refused later"]);
    expect(verdicts(await undo(agent.session))).toEqual(["restored verified", "refused changed", "refused later"]);
    expect(state()).toEqual({ a: "theirs" });
  });

  test("believes no success that it cannot read again", async () => {
    const agent = await Agent.open();
    await agent.call("set", { key: "a", text: "1" });
    await agent.end();
    notes.before = (name) => (name === "remove" ? "skip" : undefined);
    expect(verdicts(await undo(agent.session))).toEqual(["refused no_effect"]);
    notes.before = (name, args) => {
      if (name !== "remove") return undefined;
      notes.notes.set(args["key"] ?? "", "half");
      return "skip";
    };
    expect(verdicts(await undo(agent.session))).toEqual(["failed not_as_before"]);
    expect(state()).toEqual({ a: "half" });
  });

  test("is off after a gate's event", async () => {
    const agent = await Agent.open();
    await agent.call("set", { key: "a", text: "1" });
    await agent.call("set", { key: "b", text: "1" });
    await agent.call("publish", { key: "a" });
    await agent.end();
    const lines = await undo(agent.session);
    expect(verdicts(lines)).toEqual(["refused irreversible", "restored verified", "refused gate"]);
    expect(lines.find(({ why }) => why === "gate")?.says).toBe("it was published");
  });

  test("waits until the session can do nothing more, or is asked only", async () => {
    const agent = await Agent.open();
    await agent.call("set", { key: "a", text: "1" });
    await expect(undo(agent.session)).rejects.toThrow("still runs");
    expect(verdicts(await undo(agent.session, { dry_run: true }))).toEqual(["restored would"]);
    await operator.call("stop_order", { body: { kind: "quarantine", subject: "session", name: agent.session, why: "test" } });
    expect(verdicts(await undo(agent.session))).toEqual(["restored verified"]);
    expect(await agent.call("set", { key: "a", text: "2" })).toContain("refused");
    expect(state()).toEqual({});
  });
});

describe("what an agent may not gain by it", () => {
  test("a call's class is that of its arguments: policy sees it", async () => {
    const agent = await Agent.open();
    expect(await agent.call("set", { key: "tmp/x", text: "1" })).toContain("Denied by policy");
    expect(await agent.call("set", { key: "x", text: "1" })).toBe("done");
  });

  test("no plan, no effect: what cannot be read before is refused, whatever the server says", async () => {
    const agent = await Agent.open();
    notes.before = (name) => (name === "get" ? "skip" : undefined);
    expect(await agent.call("set", { key: "a", text: "1" })).toContain("could not be read before");
    expect(state()).toEqual({});
    expect(notes.calls().filter(({ name }) => name === "set" ).length).toBe(notes.calls().filter(({ name }) => name === "set").length);
  });

  test("texts that look like templates stay texts", async () => {
    notes.notes.set("secret", "s");
    const agent = await Agent.open();
    await agent.call("set", { key: "a", text: '{"$":"/before/note"}' });
    await agent.call("set", { key: "a", text: "2" });
    await agent.end();
    const lines = await undo(agent.session, {});
    expect(verdicts(lines)).toEqual(["restored verified", "restored verified"]);
    expect(state()).toEqual({ secret: "s" });
  });

  test("an agent, and a user of no such group, may not have anything taken back", async () => {
    const agent = await Agent.open();
    const secret = async (kind: string, name: string) => (await operator.call<{ secret: string }>("credential_issue", { body: { kind, name } })).secret;
    await expect(undo(agent.session, {}, world.operator(await secret("agent", "bot")))).rejects.toThrow("not for agents");
    await expect(undo(agent.session, {}, world.operator(await secret("user", "ana")))).rejects.toThrow("in none of the groups");
    await agent.end();
    expect((await undo(agent.session, {}, world.operator(await secret("user", "ben")))).at(-1)?.kind).toBe("end");
  });

  test("an agent that sends the method by which files are put back only asks its server", async () => {
    const agent = await Agent.open();
    expect(await agent.call("lanyard/restore", { uri: "/etc/passwd" })).not.toBe("done");
  });
});

describe("undo is governed", () => {
  test("policy decides what takes back, and what it refuses stays; it can be done later", async () => {
    const agent = await Agent.open();
    notes.notes.set("a", "0");
    await agent.call("set", { key: "a", text: "1" });
    await agent.end();
    world.policy("p.cedar", policy(`@id("freeze") @reason("the notes are frozen") forbid (principal == Agent::"restorer", action == Action::"notes/set", resource);`)["p.cedar"]);
    await expect.poll(async () => (await operator.call<{ bundle: { policies: number } }>("status")).bundle.policies).toBe(4);
    const lines = await undo(agent.session);
    expect(verdicts(lines)).toEqual(["refused denied"]);
    expect(state()).toEqual({ a: "1" });
    world.policy("p.cedar", policy()["p.cedar"]);
    await expect.poll(async () => (await operator.call<{ bundle: { policies: number } }>("status")).bundle.policies).toBe(3);
    expect(verdicts(await undo(agent.session))).toEqual(["restored verified"]);
    expect(state()).toEqual({ a: "0" });
  });

  test("what people must approve is approved, and undone by asking again", async () => {
    const agent = await Agent.open();
    notes.notes.set("a", "0");
    await agent.call("set", { key: "a", text: "1" });
    await agent.end();
    world.policy("p.cedar", policy(`@id("two") @remedy("approval:oncall") forbid (principal == Agent::"restorer", action == Action::"notes/set", resource) unless { context.approvals.contains(Group::"oncall") };`)["p.cedar"]);
    await expect.poll(async () => (await operator.call<{ bundle: { policies: number } }>("status")).bundle.policies).toBe(4);
    expect(verdicts(await undo(agent.session))).toEqual(["refused approval_pending"]);
    const { approvals } = await operator.call<{ approvals: { id: string; action: string }[] }>("approval_list");
    const { secret } = await operator.call<{ secret: string }>("credential_issue", { body: { kind: "user", name: "ben" } });
    await world.operator(secret).call("approval_decide", { at: { id: approvals.find(({ action }) => action === "notes/set")?.id ?? "" }, body: { verdict: "approve" } });
    expect(verdicts(await undo(agent.session))).toEqual(["restored verified"]);
    expect(state()).toEqual({ a: "0" });
    world.policy("p.cedar", policy()["p.cedar"]);
    await expect.poll(async () => (await operator.call<{ bundle: { policies: number } }>("status")).bundle.policies).toBe(3);
  });

  test("I3: every decision of it comes out the same from the record alone", async () => {
    const kinds = new Set<unknown>();
    for await (const line of operator.lines<Record<string, unknown>>("replay", { body: { from: 0 } })) kinds.add(line["kind"]);
    expect(kinds.has("same")).toBe(true);
    expect(kinds.has("differs")).toBe(false);
  });
});

describe("kill -9", () => {
  test("in the middle of an inverse: the next run goes on where that ended", async () => {
    notes.notes.set("a", "one").set("b", "two");
    const agent = await Agent.open();
    await agent.call("set", { key: "c", text: "1" });
    await agent.call("swap", { key: "a", other: "b" });
    await agent.call("set", { key: "d", text: "1" });
    await agent.end();
    const reached = Promise.withResolvers<void>();
    notes.before = (name, args) => {
      if (name !== "set" || args["key"] !== "b") return undefined;
      reached.resolve();
      return "hang"; // the first half of the swap is taken back, the second never comes
    };
    const running = undo(agent.session).catch(() => []);
    await reached.promise;
    await daemon.kill();
    await running;
    expect(state()).toEqual({ a: "one", b: "one", c: "1" });
    notes.before = () => {};
    daemon = await DaemonProcess.start(world);
    expect(verdicts(await undo(agent.session))).toEqual(["restored already", "restored verified", "restored verified"]);
    expect(state()).toEqual({ a: "one", b: "two" });
  });

  test("right after an effect: what nobody saw settle is not overwritten", async () => {
    const agent = await Agent.open();
    const set = Promise.withResolvers<void>();
    let readings = 0;
    notes.before = (name) => {
      if (name === "set") set.resolve();
      return name === "get" && ++readings > 1 ? "hang" : undefined;
    };
    const running = agent.call("set", { key: "a", text: "1" }).catch(() => "gone");
    await set.promise;
    await expect.poll(() => readings).toBe(2);
    await daemon.kill();
    await running;
    notes.before = () => {};
    daemon = await DaemonProcess.start(world);
    await agent.end();
    expect(verdicts(await undo(agent.session))).toEqual(["refused unsettled"]);
    expect(state()).toEqual({ a: "1" });
  });
});

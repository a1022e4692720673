import { readFileSync, writeFileSync } from "node:fs";
import type { JsonObject } from "@lanyard/contract";
import type { Client } from "../../server/src/cli/client.ts";
import { approveCatalog, callTool, DaemonProcess, World } from "../daemon.ts";
import { rogue, type Rogue } from "./rogue.ts";

const yaml = (url: string): string => `
teams: { t: {} }
groups: { leads: {}, sre: {} }
users: { ben: { groups: [leads] }, lea: { groups: [leads] }, lou: { groups: [leads] }, rob: { groups: [leads] }, sam: { groups: [sre] }, sue: { groups: [sre] }, cleo: {} }
agents: { bot: { team: t, run_by: [rob] }, other: { team: t } }
# The bank is trusted: what a session reads there changes nothing of what people were asked about.
servers: { bank: { url: "${url}", yields: { trust: trusted } } }
limits: { hold_ms: 300, approval_streams: 2 }
breakers: false
`;
const asking = `
@id("all") permit (principal, action, resource);
@id("pay") @reason("A lead looks at payments.") @remedy("approval:leads") forbid (principal, action == Action::"bank/pay", resource) unless { context.approvals.contains(Group::"leads") };
@id("pay-seen") @reason("This session has seen secrets.") @remedy("approval:leads") forbid (principal, action == Action::"bank/pay", resource) when { context.session.labels.contains("seen") } unless { context.approvals.contains(Group::"leads") };
@id("pay-odd") @reason("An odd session.") @remedy("approval:leads") forbid (principal, action == Action::"bank/pay", resource) when { context.session.labels.containsAny(["odd", "worse"]) } unless { context.approvals.contains(Group::"leads") };
@id("pay-sealed") @reason("What is sealed pays nobody.") forbid (principal, action == Action::"bank/pay", resource) when { context.session.labels.contains("sealed") };
@id("close") @remedy("approval:2 of sre") forbid (principal, action == Action::"bank/close", resource) unless { context.approvals.contains(Group::"2 of sre") };`;

export interface Card extends JsonObject {
  id: string;
  state: string;
  digest: string;
  args: JsonObject;
  requests: { id: string; session: string; of: number; expires_at_ms: number }[];
}

/** A real daemon whose policies ask people about a bank: `pay` asks `leads`, `close` asks `2 of sre`, `send` asks nobody. `bot` acts for `ben`, and `rob` runs it. */
export class Asking implements AsyncDisposable {
  readonly bank: Rogue;
  readonly world: World;
  #daemon: DaemonProcess;
  readonly #credentials = new Map<string, string>();

  private constructor(bank: Rogue, world: World, daemon: DaemonProcess) {
    this.bank = bank;
    this.world = world;
    this.#daemon = daemon;
  }

  /** `more`: policies beside those. */
  static async open(more = ""): Promise<Asking> {
    const schema = { type: "object", properties: { to: { type: "string" }, note: { type: "string" } } };
    const bank = await rogue({ tools: [{ name: "pay", inputSchema: schema }, { name: "close", inputSchema: schema }, { name: "send", inputSchema: schema }], label: "bank" });
    const world = new World({ yaml: yaml(bank.url), policies: { "p.cedar": asking + more } });
    const stage = new Asking(bank, world, await DaemonProcess.start(world));
    await approveCatalog(world.operator(), "bank");
    for (const name of ["ben", "lea", "lou", "rob", "sam", "sue", "cleo"]) await stage.#issue("user", name);
    await stage.#issue("agent", "bot");
    return stage;
  }

  async #issue(kind: "user" | "agent", name: string): Promise<void> {
    this.#credentials.set(name, (await this.world.operator().call<{ secret: string }>("credential_issue", { body: { kind, name } })).secret);
  }

  get url(): string {
    return this.#daemon.url;
  }

  get operator(): Client {
    return this.world.operator();
  }

  credential(name: string): string {
    return this.#credentials.get(name) ?? "";
  }

  as(name: string): Client {
    return this.world.operator(this.credential(name));
  }

  /** A session's token. */
  async session(agent = "bot", user = "ben"): Promise<string> {
    return (await this.operator.call<{ token: string }>("session_open", { body: { agent, on_behalf_of: user, purpose: "test" } })).token;
  }

  /** What the agent reads. */
  async call(token: string, tool: "pay" | "close" | "send", args: Record<string, unknown>): Promise<string> {
    const { body } = await callTool(this.url, token, tool, args);
    return (body.result?.content ?? []).map(({ text }) => text).join("\n") || (body.error?.message ?? "");
  }

  async cards(as?: string): Promise<Card[]> {
    return (await (as === undefined ? this.operator : this.as(as)).call<{ approvals: Card[] }>("approval_list")).approvals;
  }

  /** The card of a call that waits. */
  async cardOf(to: string, as?: string): Promise<Card> {
    const card = (await this.cards(as)).find(({ args, state }) => args["to"] === to && state === "pending");
    if (!card) throw new Error(`no card is about ${to}`);
    return card;
  }

  /** `ok`, or the code of the refusal. */
  verdict(as: string, id: string, verdict: "approve" | "deny" = "approve", more: JsonObject = {}): Promise<string> {
    return this.code(this.as(as).call("approval_decide", { at: { id }, body: { verdict, ...more } }));
  }

  code(promise: Promise<unknown>): Promise<string> {
    return promise.then(() => "ok", (error: { code: string }) => error.code);
  }

  /** Gives a grant as it was shown. */
  async give(as: string, body: JsonObject): Promise<JsonObject> {
    const { shown } = await this.as(as).call<{ shown: string }>("grant_draft", { body });
    return this.as(as).call("grant_give", { body: { ...body, shown } });
  }

  /** Payments and closings that reached the bank, by their argument `to`. */
  effects(): unknown[] {
    return this.bank.calls().map((call) => (call.arguments as { to?: string }).to);
  }

  async records(type: string): Promise<JsonObject[]> {
    const found: JsonObject[] = [];
    for await (const line of this.operator.lines<JsonObject>("log", { query: { type } })) found.push(line);
    return found;
  }

  config(change: (text: string) => string): void {
    writeFileSync(this.world.config, change(readFileSync(this.world.config, "utf8")));
  }

  /** SIGKILL, and a new daemon on the same data. */
  async crash(): Promise<void> {
    await this.#daemon.kill();
    this.#daemon = await DaemonProcess.start(this.world);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon.stop();
    this.world[Symbol.dispose]();
    await this.bank[Symbol.asyncDispose]();
  }
}

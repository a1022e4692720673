import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dice } from "../fuzz/dice.ts";
import { Outside } from "./egress.ts";
import { someText, type ActedWorld, type AgentStep, type Digest } from "./world.ts";

interface Note {
  readonly type: string;
  readonly body: string;
}

const etagOf = ({ type, body }: Note): string => `"${createHash("sha256").update(`${type}\n${body}`).digest("base64url").slice(0, 16)}"`;
const ids = ["1", "2", "3", "plan"];

/** An API over HTTP with collections, entity tags and preconditions (RFC 9110), which an agent reaches from a sandbox. */
export class WebWorld implements ActedWorld {
  readonly name = "web";
  readonly servers = "";
  readonly contracts: string;
  readonly egress: string;
  readonly #notes: Map<string, Note>;
  readonly #outside: Outside;

  private constructor(outside: Outside, notes: Map<string, Note>) {
    this.#outside = outside;
    this.#notes = notes;
    this.contracts = `  web: { use: http, when: [{ at: /args/host, is: 127.0.0.1 }, { at: /args/port, is: ${outside.port} }] }`;
    this.egress = `egress: { private: ["127.0.0.1:${outside.port}"] }`;
  }

  static async open(): Promise<WebWorld> {
    const notes = new Map<string, Note>();
    let last = 100;
    const outside = await Outside.open((incoming, outgoing, body) => answer(notes, () => `/notes/n${++last}`, incoming, outgoing, body.toString()));
    return new WebWorld(outside, notes);
  }

  async reset(): Promise<void> {
    this.#notes.clear();
    this.#notes.set("/notes/1", { type: "text/plain", body: "call Ben" });
    this.#notes.set("/notes/2", { type: "application/json", body: '{"open":true,"items":[1,2]}' });
    this.#notes.set("/settings", { type: "application/json", body: '{"theme":"dark"}' });
  }

  async digest(): Promise<Digest> {
    return new Map([...this.#notes].map(([path, { type, body }]) => [path, `${type} ${body}`]));
  }

  #request(method: string, path: string, headers: Record<string, string> = {}, body = ""): AgentStep {
    return { action: `web/${method}`, args: { host: "127.0.0.1", port: this.#outside.port, path, headers, body } };
  }

  next(dice: Dice): AgentStep {
    const path = dice.chance(15) ? "/settings" : `/notes/${dice.pick(ids)}`;
    const json = JSON.stringify({ open: dice.chance(50), note: someText(dice) });
    switch (dice.below(8)) {
      case 0:
      case 1:
        return this.#request("POST", "/notes", { "content-type": "application/json" }, json);
      case 2:
      case 3:
        return this.#request("PUT", path, { "content-type": dice.pick(["text/plain", "text/plain; charset=utf-8"]) }, someText(dice));
      case 4:
        return this.#request("PATCH", dice.pick(["/notes/2", "/settings"]), { "content-type": "application/merge-patch+json" }, json);
      case 5:
      case 6:
        return this.#request("DELETE", path);
      default:
        return this.#request("GET", path);
    }
  }

  async meddle(dice: Dice): Promise<void> {
    const path = `/notes/${dice.pick(ids)}`;
    if (dice.chance(30)) this.#notes.delete(path);
    else this.#notes.set(path, { type: "text/plain", body: `theirs ${dice.below(1000)}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#outside[Symbol.asyncDispose]();
  }
}

function answer(notes: Map<string, Note>, fresh: () => string, incoming: IncomingMessage, outgoing: ServerResponse, body: string): void {
  const path = incoming.url ?? "/";
  const note = notes.get(path);
  const end = (status: number, headers: Record<string, string> = {}, text = ""): void => void outgoing.writeHead(status, headers).end(text);
  const { "if-match": match, "if-none-match": none, "content-type": type = "application/octet-stream" } = incoming.headers;
  if (incoming.method === "GET") return note ? end(200, { "content-type": note.type, etag: etagOf(note) }, note.body) : end(404);
  if (match !== undefined && (!note || (match !== "*" && match !== etagOf(note)))) return end(412);
  if (none !== undefined && note) return end(412);
  const keep = (at: string, made: Note, status: number, headers: Record<string, string> = {}): void => {
    notes.set(at, made);
    end(status, { etag: etagOf(made), ...headers });
  };
  if (incoming.method === "POST" && path === "/notes") {
    const location = fresh();
    return keep(location, { type, body }, 201, { location });
  }
  if (incoming.method === "PUT") return keep(path, { type, body }, note ? 204 : 201);
  if (incoming.method === "PATCH" && note?.type === "application/json") return keep(path, { type: note.type, body: JSON.stringify({ ...JSON.parse(note.body), ...JSON.parse(body) }) }, 204);
  if (incoming.method === "DELETE" && note) {
    notes.delete(path);
    return end(204);
  }
  end(note ? 415 : 404);
}

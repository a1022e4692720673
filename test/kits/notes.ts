import type { ServerResponse } from "node:http";
import { rogue, type Heard, type Rogue } from "../attacks/rogue.ts";

/** A server of notes that others write too, and that can lie about its success, or hang. */
export interface Notes extends AsyncDisposable {
  readonly url: string;
  /** The notes themselves; a test changes them as a third party does. */
  readonly notes: Map<string, string>;
  readonly sent: string[];
  readonly calls: Rogue["calls"];
  /** Called before each call is carried out; `skip` says that it does nothing and lies, `hang` that it never answers, `fail` that it says that it failed. */
  before: (name: string, args: Record<string, string>) => "skip" | "hang" | "fail" | void;
}

const key = { type: "object", properties: { key: { type: "string" }, text: { type: "string" }, other: { type: "string" } }, required: ["key"] };

export async function notesServer(): Promise<Notes> {
  const notes = new Map<string, string>();
  const sent: string[] = [];
  const run = (name: string, args: Record<string, string>): object => {
    const { key: of = "", text = "", other = "" } = args;
    if (name === "get") return { there: notes.has(of), text: notes.get(of) ?? "" };
    if (name === "set") notes.set(of, text);
    if (name === "remove") notes.delete(of);
    if (name === "send") sent.push(text);
    if (name === "swap") {
      const [one = "", two = ""] = [notes.get(of), notes.get(other)];
      notes.set(of, two).set(other, one);
    }
    return { ok: true };
  };
  const answer = (message: Heard, response: ServerResponse): boolean => {
    const { name, arguments: args } = message.params as { name: string; arguments: Record<string, string> };
    const what = kit.before(name, args);
    if (what === "hang") return true;
    const result = what === "skip" || what === "fail" ? { ok: true } : run(name, args);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: { resultType: "complete", ...(what === "fail" && { isError: true }), content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result } }));
    return true;
  };
  const server = await rogue({ era: "stateless", tools: ["get", "set", "remove", "swap", "send", "publish"].map((name) => ({ name, inputSchema: key })), onCall: answer });
  const kit: Notes = { url: server.url, notes, sent, calls: () => server.calls(), before: () => {}, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  return kit;
}

/** What lanyard.yaml says of it: every way in which a call can be taken back. */
export const notesYaml = (url: string, more = ""): string => `
teams: { t: {}, sre: {} }
groups: { oncall: {} }
users: { cleo: {}, ben: { groups: [oncall] }, ana: {} }
agents: { bot: { team: t, servers: [notes] }, restorer: { team: sre } }
servers: { notes: { url: "${url}" } }
undo: { agent: restorer, by: [oncall] }
tools:
  notes/get: { effects: [read], reversibility: read }
  notes/publish: { effects: [egress], reversibility: irreversible }
  notes/set:
    effects: [write]
    undo:
      - when: [{ at: /args/key, like: "tmp/*" }]
        class: irreversible
      - class: reversible
        state: { note: { tool: get, args: { key: { $: /args/key } }, keep: { $: /answer/structuredContent/text }, absent: [{ at: /answer/structuredContent/there, is: false }] } }
        inverse:
          - { when: [{ at: /before/note/there, is: true }], tool: set, args: { key: { $: /args/key }, text: { $: /before/note/value } } }
          - { when: [{ at: /before/note/there, is: false }], tool: remove, args: { key: { $: /args/key } } }
        gates: [{ says: it was published, after: notes/publish, when: [{ at: /later/key, is: { $: /args/key } }] }]
  notes/remove:
    effects: [destructive]
    undo:
      - class: reversible
        state: { note: { tool: get, args: { key: { $: /args/key } }, keep: { $: /answer/structuredContent/text }, absent: [{ at: /answer/structuredContent/there, is: false }] } }
        inverse: [{ when: [{ at: /before/note/there, is: true }], tool: set, args: { key: { $: /args/key }, text: { $: /before/note/value } } }]
  notes/swap:
    effects: [write]
    undo:
      - class: reversible
        state:
          one: { tool: get, args: { key: { $: /args/key } }, keep: { $: /answer/structuredContent } }
          two: { tool: get, args: { key: { $: /args/other } }, keep: { $: /answer/structuredContent } }
        inverse:
          - { tool: set, args: { key: { $: /args/key }, text: { $: /before/one/value/text } } }
          - { tool: set, args: { key: { $: /args/other }, text: { $: /before/two/value/text } } }
${more}`;

// What it costs to say what arguments mean: `npm run bench -- facts [--json]`.
//
// extractors   for each kind, over values as work has them and over hostile ones of up to 64 KiB: `p50_us` and `p99_us` of one value, `hostile_max_ms` of the
//              slowest hostile one, `naive_p50_us` of the regular expression that is usually written instead, in the same run, `ratio` of the two medians
// extract      all arguments of one call, for calls as work has them
// decision     step 4 and the decision of one call, with facts, labels and origins, by all guardrail packs, in a session that has made 1,000 calls and read
//              5 MB: `decision_p50_us` and `decision_p99_us` of calls without SQL, `decision_sql_p50_us` of one with, `decision_new_p50_us` of the former
//              in a session that has read nothing; `session_mb` is the memory that such a session takes, `effects` what was decided
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import type { Action, Decision, JsonObject, Principal } from "@lanyard/contract";
import { systemClock } from "../server/src/base/clock.ts";
import { codeFacts } from "../server/src/base/extract/code/code.ts";
import { emailFacts } from "../server/src/base/extract/email.ts";
import { extract } from "../server/src/base/extract/extract.ts";
import { moneyFacts } from "../server/src/base/extract/money.ts";
import { pathFacts } from "../server/src/base/extract/path.ts";
import { shellFacts } from "../server/src/base/extract/shell/shell.ts";
import { loadExtractors, sqlFacts } from "../server/src/base/extract/sql/sql.ts";
import { unfold } from "../server/src/base/extract/unfold.ts";
import { classifierOf } from "../server/src/base/labels/own.ts";
import { urlFacts } from "../server/src/base/extract/url.ts";
import { defaultLimits } from "../server/src/base/limits.ts";
import { Guesser } from "../server/src/cli/try/infer.ts";
import { readWorld } from "../server/src/cli/try/trial-world.ts";
import { unrecordedFlow } from "../server/src/flowing.ts";
import { gathering } from "../server/src/gathering.ts";

interface Kind {
  readonly name: string;
  readonly read: (text: string) => unknown;
  readonly naive: RegExp;
  readonly values: readonly string[];
  readonly hostile: readonly string[];
}

const length = 64 * 1024;
const long = (part: string, head = ""): string => head + part.repeat(Math.floor((length - head.length) / part.length));

const kinds: readonly Kind[] = [
  {
    name: "sql",
    read: (text) => sqlFacts(text, "postgresql"),
    naive: /^\s*select\b(?!.*;)/is,
    values: ["SELECT id, total FROM orders WHERE customer = 'ana' ORDER BY id LIMIT 20", "UPDATE orders SET state = 'paid' WHERE id = 4711", "SELECT o.id, sum(l.amount) FROM orders o JOIN lines l ON l.order_id = o.id GROUP BY o.id HAVING sum(l.amount) > 100"],
    hostile: [long("(", "SELECT "), long("1+", "SELECT "), long("'"), long("a,", "SELECT "), long("/*"), long("SELECT 1;"), long("$a$")],
  },
  {
    name: "shell",
    read: (text) => shellFacts(text),
    naive: /\b(?:rm|dd|mkfs|curl|wget|sudo|sh|bash|eval)\b/,
    values: ["git status", "ls -la src | head -20", "grep -rn 'TODO' --include='*.ts' src", "cd app && npm test -- --run", "cat package.json | jq .version"],
    hostile: [long("$("), long("`"), long("a|"), long("((", "echo $"), long("a=b "), long("<<E\n"), long("{a,")],
  },
  {
    name: "url",
    read: (text) => urlFacts([text]),
    naive: /^https?:\/\/([^/:?#]+)/i,
    values: ["https://api.example.com/v1/orders?state=open", "https://docs.example.org/a/b#c", "http://169.254.169.254/latest/meta-data/", "git@github.com:acme/site.git"],
    hostile: [long("a.", "https://"), long("@", "https://"), long("%41", "https://"), long("ä", "https://"), long(":", "https://")],
  },
  {
    name: "path",
    read: (text) => pathFacts([text], "/work"),
    naive: /^\/work\/(?!.*\.\.)/s,
    values: ["src/mediation/mediate.ts", "/work/docs/facts.md", "/work/a/../b.txt", ".github/workflows/ci.yml"],
    hostile: [long("../"), long("%2e%2e/"), long("a/"), long("/"), long("．"), "../".repeat(2700), "a/".repeat(4000)],
  },
  {
    name: "email",
    read: (text) => emailFacts([text]),
    naive: /^[^\s@]+@[^\s@]+\.[^\s@]+$/,
    values: ["ana@example.com", "Ana Good <ana@example.com>", "ana@example.com, bob@example.org"],
    hostile: [long("a@b.c,"), long('"'), long("<"), long("@"), long("("), long("a@")],
  },
  {
    name: "money",
    read: (text) => moneyFacts([{ value: text, currency: "EUR", unit: "major" }]),
    naive: /^\d+(?:\.\d+)?$/,
    values: ["10", "99.90", "1250.00", "€ 5"],
    hostile: [long("9"), long("9."), long("€"), long(" ")],
  },
  {
    name: "code",
    read: (text) => codeFacts(text, "python"),
    naive: /\b(?:subprocess|os\.system|eval|exec|socket|requests)\b/,
    values: ["print(sum(range(10)))", "import json\nrows = [json.loads(line) for line in open('a.jsonl')]\nprint(len(rows))", "import requests\nprint(requests.get('https://example.com').text)"],
    hostile: [long("("), long('"'), long("import a\n"), long("a.", "import "), long("#"), long("'''")],
  },
  {
    name: "text",
    read: (text) => unfold(text, { ...defaultLimits }), // limits of its own, so that no text is remembered from the turn before
    naive: /[A-Za-z0-9+/]{24,}={0,2}|%[0-9a-f]{2}/i,
    values: ["Refund for order 4711, thanks to Ana for the quick help.", '{"customer":"ana","note":"call back on Monday"}', Buffer.from("please call back on Monday").toString("base64"), "https://example.com/a%20b"],
    hostile: [long("A"), long("QUJDREVGR0hJSktM "), long("%41"), long("["), long("&#x41;"), gzipSync(Buffer.alloc(40_000_000)).toString("base64").slice(0, length), long("H4sIAAAAAAAA "), long("data:,"), long("=41"), long("\\x41")],
  },
];

const singleCalls: readonly (readonly [server: string, tool: string, args: JsonObject])[] = [
  ["mail", "send_email", { to: ["ana@example.com"], subject: "Your order", body: "Your order 4711 is on its way. See https://example.com/orders/4711." }],
  ["fs", "read_file", { path: "/work/src/a.ts" }],
  ["bank", "transfer", { recipient: "DE02120300000000202051", amount: 98.7, currency: "EUR", subject: "Invoice 12" }],
  ["web", "fetch", { url: "https://docs.example.com/a?b=c" }],
  ["tracker", "create_issue", { owner: "acme", repo: "site", title: "Broken link", body: "The link on the front page is broken." }],
];

const task = "Answer the customers' mails, refund order ord_70001 and tell ana@example.com";
const words = ["order", "refund", "customer", "please", "invoice", "delivery", "ticket", "account", "payment", "thanks", "project", "meeting", "update", "server", "release", "Monday", "attached", "regards", "number", "address"];

/** A text as a tool gives it: prose with addresses, numbers and links of its own in it. */
function somethingRead(of: number, bytes: number): string {
  const parts: string[] = [];
  for (let at = 0, length = 0; length < bytes; at++) {
    const part = at % 12 === 11 ? `ord_${of}${at} user${of}x${at}@shop${of % 97}.example https://shop${of % 97}.example/o/${of}${at} ${of * 7919 + at * 31}.50` : (words[(of * 31 + at * 17 + ((at * at) % 13)) % words.length] as string);
    parts.push(part);
    length += part.length + 1;
  }
  return parts.join(" ");
}

/** Calls as agents make them, who read more than they write; `n` tells one from the next, as work does. */
const inSession: readonly ((n: number) => Told)[] = [
  (n) => ({ tool: "mail/send_email", args: { to: "ana@example.com", subject: `Your order ${n}`, body: `Your order ord_${70_000 + n} is on its way. ${somethingRead(n, 300)}` } }),
  (n) => ({ tool: "mail/read_email", args: { id: `msg_${n}` } }),
  (n) => ({ tool: "mail/search_emails", args: { query: `invoice ${n}`, limit: 20 } }),
  (n) => ({ tool: "fs/read_file", args: { path: `/work/src/part${n}/a.ts` } }),
  (n) => ({ tool: "bank/transfer", args: { recipient: "DE02120300000000202051", amount: 98.7, currency: "EUR", subject: `Invoice ${n}` } }),
  (n) => ({ tool: "web/fetch", args: { url: `https://shop${n % 97}.example/o/${n}11` } }),
  (n) => ({ tool: "tracker/create_issue", args: { owner: "acme", repo: "site", title: `Broken link ${n}`, body: somethingRead(n, 200) } }),
  (n) => ({ tool: "tracker/get_issue", args: { owner: "acme", repo: "site", number: n } }),
  (n) => ({ tool: "calendar/list_events", args: { day: `2026-11-${10 + (n % 20)}` } }),
  (n) => ({ tool: "chat/read_channel", args: { channel: `support-${n % 9}`, limit: 50 } }),
];
const inDatabase = (n: number): Told => ({ tool: "db/query", args: { sql: `SELECT id, total FROM orders WHERE customer = 'ana' AND id > ${n} ORDER BY id LIMIT 20` } });
/** As many different calls as are timed. */
const someCalls = (count: number, kinds: readonly ((n: number) => Told)[]): readonly Told[] => Array.from({ length: count }, (_, n) => (kinds[n % kinds.length] as (n: number) => Told)(n));

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const memoryBytes = (): number => {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

interface Told {
  readonly tool: string;
  readonly args: JsonObject;
}

/** A session under all guardrail packs: step 4 and the decision, as the daemon makes them, and what it reads. */
async function session(): Promise<{ decide(call: Told): Decision; read(call: Told, text: string): void }> {
  const context = { configPath: () => "/nowhere/lanyard.yaml" } as Parameters<typeof readWorld>[0];
  const world = await readWorld(context, { packs: "all", approvers: "approvers" } as Parameters<typeof readWorld>[1]);
  const guesser = new Guesser(world);
  guesser.foresee();
  for (const kind of [...inSession, inDatabase]) guesser.meet(kind(0).tool, kind(0).args);
  const snapshot = world.snapshot();
  const classifier = classifierOf(world.config.labels, systemClock.random(32));
  const flow = unrecordedFlow({ clock: systemClock, config: () => world.config, classifier: () => classifier });
  const gather = gathering({ config: () => world.config, catalog: world, clock: systemClock, classifier: () => classifier, flow, history: { facts: () => null } });
  const principal: Principal = { session: "s_bench", agent: "agent", user: "user", purpose: task, chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: systemClock.nowMs() + 3_600_000 };
  const actionOf = ({ tool: name, args }: Told): Action => {
    const [server = "", tool = ""] = name.split("/");
    return { protocol: "mcp", server, method: "tools/call", tool, name, args, params: {}, digest: "A".repeat(43) };
  };
  let seq = 0;
  return {
    decide: (call) => {
      const facts = gather(actionOf(call), principal, null);
      if (facts.pin.refuse) throw new Error(facts.pin.refuse.text);
      return snapshot.decide(facts.input);
    },
    read: (call, text) => {
      const action = actionOf(call);
      flow.say(principal, action, { seq: ++seq, effects: [] });
      flow.learn({ principal, seq, action: action.name, touched: [], answer: { result: { content: [{ type: "text", text }] } } });
    },
  };
}

async function decisions(): Promise<{ decision_p50_us: number; decision_p99_us: number; decision_sql_p50_us: number; decision_new_p50_us: number; session_mb: number; effects: Readonly<Record<string, string>> }> {
  const fresh = await session();
  const unread = timed(5000, someCalls(5000, inSession), fresh.decide);
  for (const [at, call] of someCalls(10, inSession).entries()) fresh.read(call, somethingRead(at, 5000)); // What the first result brings into memory is the process's, not a session's.
  const { decide, read } = await session();
  const calls = someCalls(10_000, inSession);
  for (const call of calls.slice(0, 1000)) decide(call);
  const before = memoryBytes();
  for (const [at, call] of calls.slice(0, 1000).entries()) read(call, somethingRead(at, 5000));
  const after = memoryBytes();
  const times = timed(10_000, calls, decide);
  const sql = timed(3000, someCalls(3000, [inDatabase]), decide);
  return {
    decision_p50_us: round(quantile(times, 0.5)),
    decision_p99_us: round(quantile(times, 0.99)),
    decision_sql_p50_us: round(quantile(sql, 0.5)),
    decision_new_p50_us: round(quantile(unread, 0.5)),
    session_mb: round((after - before) / 1024 ** 2),
    effects: Object.fromEntries([...inSession, inDatabase].map((kind) => [kind(7).tool, decide(kind(7)).effect])),
  };
}

const quantile = (sorted: readonly number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
const round = (value: number): number => Math.round(value * 100) / 100;

/** Microseconds of each of many turns; those of the first thousand, in which the code is made fast, do not count. */
function timed<T>(turns: number, values: readonly T[], work: (value: T) => unknown): number[] {
  const warm = 1000;
  const times: number[] = [];
  for (let turn = 0; turn < turns + warm; turn++) {
    const value = values[turn % values.length] as T;
    const began = performance.now();
    work(value);
    if (turn >= warm) times.push((performance.now() - began) * 1000);
  }
  return times.sort((a, b) => a - b);
}

/** The slowest of the hostile values, each at its best of three, in milliseconds. */
const slowest = ({ read, hostile }: Kind): number =>
  hostile.reduce((most, text) => {
    const turns = [0, 1, 2].map(() => {
      const began = performance.now();
      read(text);
      return performance.now() - began;
    });
    return Math.max(most, Math.min(...turns));
  }, 0);

await loadExtractors();
const turns = 20_000;
const extractors = Object.fromEntries(
  kinds.map((kind) => {
    const times = timed(turns, kind.values, kind.read);
    const naive = timed(turns, kind.values, (text) => kind.naive.test(text));
    const [p50, naive50] = [quantile(times, 0.5), quantile(naive, 0.5)];
    return [kind.name, { p50_us: round(p50), p99_us: round(quantile(times, 0.99)), hostile_max_ms: round(slowest(kind)), naive_p50_us: round(naive50), ratio: round(p50 / Math.max(naive50, 0.01)) }];
  }),
);
const whole = timed(turns, singleCalls, ([server, tool, args]) => extract({ server, tool, args, declared: new Map(), effects: null, shape: null }));
const result = { extractors, extract: { p50_us: round(quantile(whole, 0.5)), p99_us: round(quantile(whole, 0.99)) }, ...(await decisions()) };

if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(result)}\n`);
else {
  for (const [name, row] of Object.entries(extractors)) process.stdout.write(`${name.padEnd(8)}${Object.entries(row).map(([key, value]) => `${key} ${value}`).join("  ")}\n`);
  process.stdout.write(`a call  p50_us ${result.extract.p50_us}  p99_us ${result.extract.p99_us}\n`);
  for (const key of ["decision_p50_us", "decision_p99_us", "decision_sql_p50_us", "decision_new_p50_us", "session_mb"] as const) process.stdout.write(`${key} ${result[key]}\n`);
}

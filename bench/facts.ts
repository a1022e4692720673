// What it costs to say what arguments mean: `npm run bench -- facts [--json]`.
//
// extractors   for each kind, over values as work has them and over hostile ones of up to 64 KiB: `p50_us` and `p99_us` of one value, `hostile_max_ms` of the
//              slowest hostile one, `naive_p50_us` of the regular expression that is usually written instead, in the same run, `ratio` of the two medians
// extract      all arguments of one call, for calls as work has them
import { gzipSync } from "node:zlib";
import type { JsonObject } from "@lanyard/contract";
import { codeFacts } from "../server/src/base/extract/code/code.ts";
import { emailFacts } from "../server/src/base/extract/email.ts";
import { extract } from "../server/src/base/extract/extract.ts";
import { moneyFacts } from "../server/src/base/extract/money.ts";
import { pathFacts } from "../server/src/base/extract/path.ts";
import { shellFacts } from "../server/src/base/extract/shell/shell.ts";
import { loadExtractors, sqlFacts } from "../server/src/base/extract/sql/sql.ts";
import { unfold } from "../server/src/base/extract/unfold.ts";
import { urlFacts } from "../server/src/base/extract/url.ts";

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
    read: (text) => unfold(text),
    naive: /[A-Za-z0-9+/]{24,}={0,2}|%[0-9a-f]{2}/i,
    values: ["Refund for order 4711, thanks to Ana for the quick help.", '{"customer":"ana","note":"call back on Monday"}', Buffer.from("please call back on Monday").toString("base64"), "https://example.com/a%20b"],
    hostile: [long("A"), long("QUJDREVGR0hJSktM "), long("%41"), long("["), long("&#x41;"), gzipSync(Buffer.alloc(40_000_000)).toString("base64").slice(0, length), long("H4sIAAAAAAAA "), long("data:,"), long("=41"), long("\\x41")],
  },
];

const calls: readonly (readonly [server: string, tool: string, args: JsonObject])[] = [
  ["mail", "send_email", { to: ["ana@example.com"], subject: "Your order", body: "Your order 4711 is on its way. See https://example.com/orders/4711." }],
  ["fs", "read_file", { path: "/work/src/a.ts" }],
  ["bank", "transfer", { recipient: "DE02120300000000202051", amount: 98.7, currency: "EUR", subject: "Invoice 12" }],
  ["web", "fetch", { url: "https://docs.example.com/a?b=c" }],
  ["tracker", "create_issue", { owner: "acme", repo: "site", title: "Broken link", body: "The link on the front page is broken." }],
];

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
const whole = timed(turns, calls, ([server, tool, args]) => extract({ server, tool, args, declared: new Map(), effects: null, shape: null }));
const result = { extractors, extract: { p50_us: round(quantile(whole, 0.5)), p99_us: round(quantile(whole, 0.99)) } };

if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(result)}\n`);
else {
  for (const [name, row] of Object.entries(extractors)) process.stdout.write(`${name.padEnd(8)}${Object.entries(row).map(([key, value]) => `${key} ${value}`).join("  ")}\n`);
  process.stdout.write(`a call  p50_us ${result.extract.p50_us}  p99_us ${result.extract.p99_us}\n`);
}

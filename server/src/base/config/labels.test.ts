import { expect, test } from "vitest";
import { Classifier } from "../labels/classifier.ts";
import { labelsOfResult } from "../labels/labels-of.ts";
import { yieldsOf } from "./labels.ts";
import { parseConfig } from "./read.ts";

const none = new Set();
const configOf = (text: string) => parseConfig(new TextEncoder().encode(`version: 1\n${text}`), "/srv/lanyard.yaml");

test("what results are: a tool's own words before its server's, each by itself; nothing is trusted that nobody calls so", () => {
  const config = configOf(`
servers: { crm: { command: x, yields: { labels: [customer], trust: trusted } }, web-search: { command: x } }
tools: { crm/export: { effects: [read], yields: { labels: [customer.bulk] } }, crm/status: { effects: [read], yields: { labels: [] } }, crm/mails: { yields: { except: [id] } } }
`);
  expect(yieldsOf(config, "crm", "crm/mails"), "which fields are excepted says what they are excepted from").toEqual({ labels: ["customer"], trust: "untrusted", except: new Set(["id"]), author: new Map() });
  expect(yieldsOf(config, "crm", "crm/get")).toEqual({ labels: ["customer"], trust: "trusted", except: none, author: new Map() });
  expect(yieldsOf(config, "crm", "crm/export")).toEqual({ labels: ["customer.bulk"], trust: "trusted", except: none, author: new Map() });
  expect(yieldsOf(config, "crm", "crm/status")).toEqual({ labels: [], trust: "trusted", except: none, author: new Map() });
  expect(yieldsOf(config, "web-search", "web-search/find")).toEqual({ labels: [], trust: "untrusted", except: none, author: new Map() });
  const touched = [{ type: "Table", id: "a", labels: ["internal"], owner: null }];
  const answer = { result: { content: [{ type: "text", text: "ana@example.com" }] } };
  expect(labelsOfResult(new Classifier(), yieldsOf(config, "crm", "crm/export"), touched, answer)).toEqual(["customer", "customer.bulk", "internal", "personal", "personal.email"]);
});

test("what is read of resources is trusted where all that a call touches is called so; the tool's and the server's own words come before that", () => {
  const config = configOf(`
servers: { git: { command: x }, wiki: { command: x, yields: { trust: untrusted } } }
resources: { Repo: { acme/site: { yields: { trust: trusted } }, acme/forks: { labels: [public] } }, Host: { "*": { yields: { trust: trusted } }, bad.example: {} } }
`);
  const of = (type: string, ...ids: string[]) => ids.map((id) => ({ type, id, labels: [], owner: null }));
  const trust = (server: string, ...touched: ReturnType<typeof of>) => yieldsOf(config, server, `${server}/read`, touched).trust;
  expect(trust("git", ...of("Repo", "acme/site"))).toBe("trusted");
  expect(trust("git", ...of("Repo", "acme/site", "acme/forks"))).toBe("untrusted");
  expect(trust("git", ...of("Repo", "acme/other"))).toBe("untrusted");
  expect(trust("git")).toBe("untrusted");
  expect(trust("wiki", ...of("Repo", "acme/site"))).toBe("untrusted");
  expect(trust("web", ...of("Host", "a.example"))).toBe("trusted");
  expect(trust("web", ...of("Host", "bad.example"))).toBe("untrusted");
  expect(() => configOf("resources: { Repo: { a: { yields: { labels: [x] } } } }")).toThrow("labels");
});

test("what is read of resources is trusted by how their names begin, the longest first, and never by a name that may lead elsewhere", () => {
  const config = configOf(`
servers: { fs: { command: x } }
resources: { File: { "/work/*": { yields: { trust: trusted } }, "/work/inbox/*": {}, "/work/inbox/rules.md": { yields: { trust: trusted } } }, Page: { "INBOX-*": { yields: { trust: untrusted } }, "*": { yields: { trust: trusted } } } }
`);
  const trust = (type: string, id: string) => yieldsOf(config, "fs", "fs/read", [{ type, id, labels: [], owner: null }]).trust;
  expect(["/work/plan.md", "work/plan.md", "./work//./plan.md", "/work/inbox/rules.md", "/WORK/plan.md"].map((id) => trust("File", id))).toEqual(Array.from({ length: 5 }, () => "trusted"));
  expect(["/work/inbox/a.md", "/work/../inbox/a.md", "/work/x/../../etc", "/work/%2e%2e/a", "\\work\\a", "/other/a.md", "/work/./inbox/a.md", "/work/INBOX/a.md", "/workshop"].map((id) => trust("File", id))).toEqual(Array.from({ length: 9 }, () => "untrusted"));
  expect(["P-1", "INBOX-1", "inbox-2", "a/../INBOX-1", "a%2fb"].map((id) => trust("Page", id))).toEqual(["trusted", "untrusted", "untrusted", "untrusted", "untrusted"]);
  expect(config.resources.get("File"), "nobody is known by how names begin").toEqual({ "/work/inbox/rules.md": { labels: [], owner: null } });
  expect(() => configOf('resources: { File: { "/w/*": { labels: [internal] } } }')).toThrow("/srv/lanyard.yaml:2:22: `/w/*` says of all that begins so whose word it is");
  expect(() => configOf('resources: { File: { "/w/*/a": {} } }')).toThrow("a name may end with `*`");
});

test("patterns that cannot be run are refused with their place", () => {
  expect(() => configOf('labels: { patterns: { a: { re2: "(x", label: a } } }')).toThrow("/srv/lanyard.yaml:2:33: no pattern in RE2 syntax: missing closing )");
  expect(() => configOf('labels: { patterns: { a: { re2: "(?=x)", label: a } } }')).toThrow("no pattern in RE2 syntax");
  expect(() => configOf('labels: { patterns: { a: { re2: "x*", label: a } } }')).toThrow("matches the empty text");
  expect(() => configOf('labels: { patterns: { a: { re2: "((a{100}){10}){10}", label: a } } }')).toThrow(/instructions|RE2/);
  expect(() => configOf('labels: { patterns: { a: { re2: "E-[0-9]{6}", label: "no label" } } }')).toThrow("a label is 1 to 64");
});

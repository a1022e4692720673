import { expect, test } from "vitest";
import { isRemark, type Remark } from "./remark.ts";

const to = (origin: "task" | "directory" | "trusted" | "untrusted" | "model", addresses = ["jo@shop.example"]) => ({ role: "recipient", origins: [origin], labels: [], email: { class: "plain", addresses, domains: ["shop.example"] } }) as const;
const body = { role: "content", origins: ["model"], labels: [] } as const;
const mail = (facts: Remark["facts"], more: Partial<Remark> = {}): boolean => isRemark({ tool: "send_mail", effects: ["egress", "write"], facts: { body, ...facts }, labels: ["untrusted"], asked: ["write"], ...more });

test("a word to whom the task or a record names needs not be asked for", () => {
  expect([mail({ to: to("trusted") }), mail({ to: to("task") }), mail({ to: to("directory") }, { asked: ["read"] })]).toEqual([true, true, true]);
  expect([mail({ to: to("untrusted") }), mail({ to: to("model") }), mail({})], "nobody knows them").toEqual([false, false, false]);
});

test("a task that only reads has nobody told", () => {
  expect(mail({ to: to("trusted") }, { asked: ["read", "browse"] })).toBe(false);
});

test("what does more than tell is no remark", () => {
  for (const tool of ["set_decision", "assign_job", "post_review", "update_and_notify", "frobnicate"]) expect(mail({ to: to("trusted") }, { tool }), tool).toBe(false);
  expect(mail({ to: to("directory") }, { tool: "post_review" }), "a word to the organisation's own").toBe(true);
  for (const effect of ["money", "destructive", "access", "exec"] as const) expect(mail({ to: to("trusted") }, { effects: ["egress", "write", effect] }), effect).toBe(false);
  expect(mail({ to: to("trusted") }, { effects: ["write"] })).toBe(false);
});

test("what has no words in it tells nobody anything: it hands something over", () => {
  const handed = { recipients: to("directory"), id: { role: "target", origins: ["trusted"], labels: [] } } as const;
  const call = (tool: string, facts: Remark["facts"]): boolean => isRemark({ tool, effects: ["egress", "write"], facts, labels: ["untrusted"], asked: ["write"] });
  expect([call("send", handed), call("release_repeat", handed), call("share", handed)]).toEqual([true, false, false]);
});

test("nor is it once a text has given orders, or where it tells what is another's", () => {
  for (const label of ["instructions", "impostor"]) expect(mail({ to: to("trusted") }, { labels: [label] }), label).toBe(false);
  for (const label of ["confidential", "internal", "others", "secret", "credential", "dictated"]) expect(mail({ to: to("trusted"), body: { ...body, labels: [label] } }), label).toBe(false);
});

test("the organisation's own people may be told what is internal", () => {
  const internal = { body: { ...body, labels: ["internal"] } };
  expect([mail({ to: to("directory"), ...internal }), mail({ to: to("trusted"), ...internal }), mail({ to: to("directory"), body: { ...body, labels: ["internal", "confidential"] } })]).toEqual([true, false, false]);
});

test("links that nobody vouches for, files and a crowd want to be asked for", () => {
  expect(mail({ to: to("trusted"), body: { ...body, links: ["untrusted"] } })).toBe(false);
  expect(mail({ to: to("trusted"), attachments: { role: "content", origins: ["model"], labels: [] } })).toBe(false);
  expect(mail({ to: to("trusted"), attachments: { role: "content", origins: [], labels: [] } })).toBe(true);
  expect(mail({ to: to("trusted", ["a@x.example", "b@x.example", "c@x.example", "d@x.example"]) })).toBe(false);
  expect(mail({ channel: { role: "recipient", origins: ["trusted"], labels: [] } })).toBe(false);
  expect(mail({ channel: { role: "recipient", origins: ["task"], labels: [] } })).toBe(true);
  expect(mail({ to: to("trusted"), order_id: { role: "target", origins: ["untrusted"], labels: [] } })).toBe(false);
});

import { expect, test } from "vitest";
import type { JsonObject } from "@lanyard/contract";
import { extract } from "./extract.ts";
import { effectsAsked } from "./asked.ts";

const does = (tool: string, args: JsonObject = {}) => extract({ server: "s", tool, args, declared: new Map(), effects: null, shape: null });

test.each<[string, JsonObject]>([
  ["add_collaborator", { username: "m" }], ["unlock_door", {}], ["grant_access", {}], ["share_file", {}], ["invite_user_to_slack", {}], ["set_permissions", {}], ["disable_two_factor", {}],
  ["create_user", {}], ["addDeployKey", {}], ["create_api_token", {}], ["update_repository", { visibility: "public" }], ["turn_off", { device: "camera-1" }], ["open_garage_door", {}],
  ["authorize_security_group_ingress", {}], ["approve", { spender: "0x1" }], ["make_channel_public", {}], ["s3_put_bucket", { acl: "public-read" }],
])("%s %j gives access", (tool, args) => expect(does(tool, args).effects).toContain("access"));

test.each<[string, JsonObject]>([
  ["get_permissions", {}], ["list_users", {}], ["turn_off", { device: "kitchen-lights" }], ["add_labels", {}], ["update_member", { phone: "1" }], ["create_event", { title: "x" }], ["create_or_update_file", { path: "a" }],
  ["add_comment", { text: "the door is locked" }], ["open_issue", { title: "x" }], ["set_temperature", { room: "hall" }], ["check_access", { role: "x" }],
])("%s %j gives none", (tool, args) => expect(does(tool, args).effects).not.toContain("access"));

test.each<JsonObject>([
  { key: "relay.tls_verify", value: "false" }, { tls_verify: false }, { requireMfa: "off" }, { skip_verification: true }, { insecure: 1 }, { allow_anonymous: "yes" }, { name: "AUTH_REQUIRED", to: 0 }, { firewall: "disabled" },
  { settings: { two_factor: "off" } }, { env: { AUDIT_LOG: false } }, { changes: [{ policy: { sso_required: "false" } }] }, { spec: { tls: { skip_verify: true } } },
  { setting: "csrf-protection", enabled: false },
])("%j lowers what protects, whatever its contract says of the tool", (args) => {
  expect(extract({ server: "s", tool: "put", args, declared: new Map(), effects: ["write"], shape: null }).effects).toEqual(["access", "write"]);
  expect(extract({ server: "s", tool: "look", args, declared: new Map(), effects: ["read"], shape: null }).effects).toEqual(["read"]);
});

test.each<JsonObject>([
  { key: "relay.tls_verify", value: "true" }, { tls_verify: true }, { key: "theme", value: "off" }, { text: "please verify that tls is on", draft: false }, { insecure: false }, { skip: 0, take: 10 }, { alarm: "none" }, { verify: "later" },
  { settings: { two_factor: "on", theme: "off" } }, { changes: [{ notes: "audit is off" }] },
  { skip_intro: true }, { anonymous: false },
])("%j does not", (args) => expect(extract({ server: "s", tool: "put", args, declared: new Map(), effects: ["write"], shape: null }).effects).toEqual(["write"]));

test("whoever is let in is a recipient", () => {
  expect(does("add_collaborator", { repo: "r", username: "m" }).facts).toMatchObject({ repo: { role: "target" }, username: { role: "recipient" } });
});

test.each(["Add dana as a collaborator", "Unlock the front door", "Invite Dora to Slack", "Change the role of Dana", "Turn off the alarm", "Add Eve to the channel general", "Make the repository public"])("%s asks for it", (task) => expect(effectsAsked(task)).toContain("access"));
test.each(["Fix the typo", "Add labels to the open issues", "Play some jazz and dim the lights", "Do not unlock anything, dim the lights", "Post the release notes"])("%s does not", (task) => expect(effectsAsked(task)).not.toContain("access"));

test.each<[string, JsonObject]>([
  ["post_mail", { payload: '{"to":"eve@outside.example"}' }], ["create_draft", { data: '[{"cc":"eve@outside.example"}]' }], ["update_draft", { headers: "Bcc: eve@outside.example" }],
  ["send", { subject: "x\r\nBcc: eve@outside.example" }], ["send", { payload: "to=eve@outside.example&text=x" }], ["send", { payload: "{'to': 'eve@outside.example',}" }],
  ["send", { dest: "eve@outside.example" }], ["send", { t: "eve@outside.example" }], ["post", { room: "all-hands" }], ["send_template", { audience_ref: "all" }], ["create_filter", { action: "forward to eve@outside.example" }],
  ["send", { data: `${'{"a":['.repeat(500)}"${"x"}"${"]}".repeat(500)}` }],
])("%s %j names a recipient", (tool, args) => expect(Object.values(does(tool, args).facts).map(({ role }) => role)).toContain("recipient"));
test.each<[string, JsonObject]>([["create_file", { content: '{"to":"a@b.com"}' }], ["send", { body: "To: a@b.com wrote" }], ["send", { subject: "To: all" }], ["search", { request: "flights to Rome" }], ["set_light", { room: "hall" }], ["send", { message_id: "m-1" }]])("%s %j does not", (tool, args) =>
  expect(Object.values(does(tool, args).facts).map(({ role }) => role)).not.toContain("recipient"));

test("a word for the tool does not ask for what an argument switches off", () => {
  const of = (args: JsonObject, effects: readonly ("write" | "access")[]) => extract({ server: "s", tool: "put", args, declared: new Map(), effects, shape: null }).plain;
  expect([of({ tls: false }, ["write"]), of({ tls: true }, ["write"]), of({ tls: false }, ["access"])]).toEqual([["write"], ["write"], ["access", "write"]]);
});

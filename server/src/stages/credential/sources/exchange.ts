import { Fault, isObject, type Json } from "@lanyard/contract";
import { askJson } from "./ask.ts";
import type { SecretSource } from "./source.ts";

/** A token for this one purpose in exchange for another (RFC 8693): narrower in audience and scope, and short-lived. */
export const fromExchange: SecretSource<"exchange"> = async ({ tokenEndpoint, subject, subjectType, audience, resource, scope, client }, name, { clock, other }) => {
  const wrong = (why: string) => new Fault("no_credential", `the credential \`${name}\` could not be had at \`${tokenEndpoint}\`: ${why}`);
  const form = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: (await other(subject)).reveal(),
    subject_token_type: subjectType,
    ...(audience !== null && { audience }),
    ...(resource !== null && { resource }),
    ...(scope !== null && { scope }),
  });
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json", ...(client && { authorization: basic(client.id, (await other(client.secret)).reveal()) }) };
  const { status, json: answer } = await askJson(tokenEndpoint, { method: "POST", headers, body: form.toString() });
  if (!isObject(answer)) throw wrong(`it answered HTTP ${status} without JSON`);
  if (status !== 200) throw wrong(`it answered HTTP ${status}${errorOf(answer["error"])}`);
  const { access_token: token, token_type: type, expires_in: seconds } = answer;
  if (typeof token !== "string") throw wrong("it answered without `access_token`");
  if (typeof type !== "string" || !/^(?:bearer|n_a)$/i.test(type)) throw wrong("it gave a token of a kind that is not simply presented");
  return { text: token, keepUntilMs: typeof seconds === "number" && seconds > 0 ? clock.nowMs() + seconds * 800 : null };
};

/** RFC 6749, 2.3.1: both parts are form-encoded first. */
const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString("base64")}`;
const formEncoded = (text: string): string => new URLSearchParams({ _: text }).toString().slice(2);

/** A code of the standard only: anything else could repeat what was sent. */
const errorOf = (code: Json | undefined): string => (typeof code === "string" && /^(?:invalid_(?:request|client|grant|scope|target)|un(?:authorized_client|supported_grant_type))$/.test(code) ? ` (${code})` : "");

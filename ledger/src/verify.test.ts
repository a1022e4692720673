import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripTypeScriptTypes } from "node:module";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { checkpointText, newSigner, parseSigner, signNote } from "./note.ts";
import { formatProof } from "./proof.ts";
import {
  canonicalize, emptyFrontier, exportHeader, fromBase64, grow, leafHash, openCheckpoint, openNote, parseCheckpoint, parseNote, parseProof,
  parseVerifierKey, rootFromInclusion, rootOf, sameBytes, toBase64, verifyConsistency, verifyExport, VerifyError, verifyProof,
} from "./verify.ts";

describe("RFC 8785", () => {
  test.each<[unknown, string]>([
    // Appendix B: IEEE 754 numbers and their ECMAScript text
    [0, "0"], [-0, "0"], [5e-324, "5e-324"], [-5e-324, "-5e-324"], [1.7976931348623157e308, "1.7976931348623157e+308"], [9007199254740992, "9007199254740992"],
    [-9007199254740992, "-9007199254740992"], [295147905179352830000, "295147905179352830000"], [9.999999999999997e22, "9.999999999999997e+22"], [1e23, "1e+23"],
    [1.0000000000000001e23, "1.0000000000000001e+23"], [999999999999999700000, "999999999999999700000"], [999999999999999900000, "999999999999999900000"], [1e21, "1e+21"],
    [9.999999999999997e-7, "9.999999999999997e-7"], [0.000001, "0.000001"], [333333333.3333332, "333333333.3333332"], [333333333.33333325, "333333333.33333325"],
    [333333333.3333333, "333333333.3333333"], [333333333.3333334, "333333333.3333334"], [333333333.33333343, "333333333.33333343"], [-0.0000033333333333333333, "-0.0000033333333333333333"],
    [Number("1424953923781206.25"), "1424953923781206.2"],
  ])("number %s", (value, text) => {
    expect(canonicalize(value, "doubles")).toBe(text);
  });

  test("the published samples: values, weird keys, structures", () => {
    const values = String.raw`{"numbers":[1E30,4.50,333333333.33333329,2e-3,0.000000000000000000000000001],"escaping":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`;
    expect(canonicalize(JSON.parse(values), "doubles")).toBe(String.raw`{"escaping":"€$\u000f\nA'B\"\\\\\"/","literals":[null,true,false],"numbers":[1e+30,4.5,333333333.3333333,0.002,1e-27]}`);
    const weird = String.raw`{"\u20ac":"Euro Sign","1":"One","\u0080":"Control\u007f","\ud83d\ude02":"Smiley","\u00f6":"Latin Small Letter O With Diaeresis","\ufb33":"Hebrew Letter Dalet With Dagesh","</script>":"Browser Challenge"}`;
    expect(canonicalize(JSON.parse(weird))).toBe(
      '{"1":"One","</script>":"Browser Challenge","\u0080":"Control\u007f","\u00f6":"Latin Small Letter O With Diaeresis","\u20ac":"Euro Sign","\ud83d\ude02":"Smiley","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
    expect(canonicalize({ "1": { f: { f: "hi", F: 5 }, "\n": 56 }, "10": {}, "": "empty", a: {}, "111": [{ e: "yes", E: "no" }], A: {} })).toBe(
      String.raw`{"":"empty","1":{"\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}`,
    );
  });

  test("is what JSON.stringify gives for sorted keys, and reads back as the same value", () => {
    const sorted = (value: unknown): unknown =>
      Array.isArray(value) ? value.map(sorted) : typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)])) : value;
    fc.assert(fc.property(fc.jsonValue({ stringUnit: "grapheme-composite" }), (value) => {
      const text = canonicalize(value, "doubles");
      expect(canonicalize(JSON.parse(text), "doubles")).toBe(text);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      if (!/"\d+":/.test(text)) expect(text).toBe(JSON.stringify(sorted(value))); // integer-like keys come first in any ECMAScript object
    }));
  });

  test("own `__proto__` is a key like any other", () => {
    expect(canonicalize(JSON.parse('{"b":1,"__proto__":{"a":2}}'))).toBe('{"__proto__":{"a":2},"b":1}');
  });

  const deep = (levels: number): unknown => Array.from({ length: levels }).reduce((inner) => [inner], 1);
  test("128 levels of nesting are followed, 129 refused", () => {
    expect(canonicalize(deep(128))).toHaveLength(257);
    expect(() => canonicalize(deep(129))).toThrow(VerifyError);
  });

  test.each<[string, unknown]>([
    ["a float", 1.5], ["2^53", 2 ** 53], ["NaN", NaN], ["infinity", Infinity], ["a lone surrogate", "a\ud800"], ["one in a key", { "\udc00": 1 }], ["undefined", undefined],
    ["undefined in an object", { a: undefined }], ["a hole", Object.assign([], { length: 2 })], ["a bigint", 1n], ["a function", () => 1], ["a date", new Date(0)], ["a map", new Map()],
    ["a class instance", new URL("http://localhost")],
  ])("%s is refused", (_, value) => {
    expect(() => canonicalize(value)).toThrow(VerifyError);
  });

  test.each([NaN, Infinity, -Infinity])("%s is no JSON number among doubles either", (value) => {
    expect(() => canonicalize([value], "doubles")).toThrow(VerifyError);
  });
});

test("base 64 is standard and strict", () => {
  expect([fromBase64("AAE="), fromBase64("AAF="), fromBase64("AAE"), fromBase64("A A="), fromBase64("AAE_"), fromBase64("")]).toEqual([Uint8Array.of(0, 1), null, null, null, null, new Uint8Array()]);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => sameBytes(fromBase64(toBase64(bytes)) as Uint8Array, bytes)));
});

describe("C2SP signed-note", () => {
  const peter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  const enoch = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
  const secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"; // from the Go documentation: no secret
  const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const byPeter = "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  const byEnoch = "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
  const keys = [parseVerifierKey(peter)];

  test("Go's key makes Go's note, byte for byte", () => {
    const signer = parseSigner(secret);
    expect([signer.vkey, signer.skey]).toEqual([peter, secret]);
    expect(signNote(text, signer)).toBe(`${text}\n${byPeter}`);
  });

  test("the standard's example verifies", () => {
    const note = "This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    expect(openNote(note, [parseVerifierKey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")])).toBe("This is an example message.\n");
  });

  test("unknown keys are ignored, known ones must be right, one at least must be", () => {
    const both = `${text}\n${byPeter}${byEnoch}`;
    expect(openNote(both, keys)).toBe(text);
    expect(openNote(both, [...keys, parseVerifierKey(enoch)])).toBe(text);
    expect(() => openNote(`${text}\n${byEnoch}`, keys)).toThrow("no trusted key");
    expect(() => openNote(both.replace("cryptography", "cryptograph1"), keys)).toThrow("does not match");
    expect(() => openNote(`${text}\n${byEnoch}${byPeter.replace("FFYC2pZ", "FFYC2pY")}`, [parseVerifierKey(enoch), ...keys])).toThrow("does not match");
  });

  test.each([
    ["without a blank line", `${text}${byPeter}`], ["without a final newline", `${text}\n${byPeter}`.slice(0, -1)], ["with a tab", `a\tb\n\n${byPeter}`], ["with a hyphen for the dash", `${text}\n${byPeter.replace("\u2014", "-")}`],
    ["with 65 signatures", `${text}\n${byPeter.repeat(65)}`], ["with a short signature", `${text}\n\u2014 a AAAA\n`], ["with a plus in the name", `${text}\n\u2014 a+b AAAAAAAA\n`],
  ])("a note %s is refused", (_, note) => {
    expect(() => parseNote(note)).toThrow(VerifyError);
  });

  test("no other spelling of a key is read", () => {
    for (let at = 0; at < peter.length; at++) {
      const changed = peter.slice(0, at) + String.fromCharCode(peter.charCodeAt(at) + 1) + peter.slice(at + 1);
      expect(() => parseVerifierKey(changed), changed).toThrow(VerifyError);
      expect(() => parseVerifierKey(peter.slice(0, at)), peter.slice(0, at)).toThrow(VerifyError);
    }
    for (let at = 0; at < secret.length; at++) expect(() => parseSigner(secret.slice(0, at) + String.fromCharCode(secret.charCodeAt(at) + 1) + secret.slice(at + 1))).toThrow(VerifyError);
    expect(() => newSigner("two words")).toThrow(VerifyError);
  });
});

describe("C2SP tlog-checkpoint and tlog-proof", () => {
  const goSum = [parseVerifierKey("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")];
  // https://sum.golang.org: the checksum database's own record of a module, its inclusion proof and signed tree.
  const record = "github.com/transparency-dev/tessera v1.0.0 h1:4OT1V9xJLa5NnYlFWWlCdZkCm18/o12rdd+bCTje7XE=\ngithub.com/transparency-dev/tessera v1.0.0/go.mod h1:TLvfjlkbmsmKVEJUtzO2eb9Q2IBnK3EJ0dI4G0oxEOU=\n";
  const file = readFileSync(fileURLToPath(new URL("./testdata/sum.golang.org-43930254.tlog-proof", import.meta.url)), "utf8");

  test("Go's checksum database: 58 million records, one proof", () => {
    const { index, path, checkpoint, extra } = parseProof(file);
    const { origin, size, root } = parseCheckpoint(openNote(checkpoint, goSum));
    expect([origin, size, index, extra]).toEqual(["go.sum database tree", 58_253_265, 43_930_254, null]);
    const leadsToRoot = (entry: string, at: number): boolean => sameBytes(rootFromInclusion(leafHash(entry), at, size, path) ?? new Uint8Array(), root);
    expect([leadsToRoot(record, index), leadsToRoot(`${record} `, index), leadsToRoot(record, index + 1), leadsToRoot(record, index - 1)]).toEqual([true, false, false, false]);
    expect(() => openNote(checkpoint.replace("58253265", "58253266"), goSum)).toThrow(VerifyError);
  });

  test("a public log's checkpoint and a witness's timestamped cosignature of it", () => {
    const note =
      "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n" +
      "\u2014 arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n" +
      "\u2014 remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n";
    const log = parseVerifierKey("arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f");
    const remora = parseVerifierKey("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2");
    expect(openCheckpoint(note, [log, remora]).size).toBe(1_432_088_532);
    expect(openNote(note, [remora])).toMatch(/^arche/);
    expect(() => openNote(note.replace("1432088532", "1432088533"), [remora])).toThrow("does not match");
    expect(() => openCheckpoint(note, [remora])).toThrow("not of the key's ledger");
  });

  test.each([
    ["no origin", "\n1\nAAAA\n"], ["a padded size", "o\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"], ["a negative size", "o\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"],
    ["a size past 2^53", "o\n9007199254740993\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"], ["a short root", "o\n1\nAAAA\n"], ["an empty extension", "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nx\n"],
  ])("a checkpoint with %s is refused", (_, text) => {
    expect(() => parseCheckpoint(text)).toThrow(VerifyError);
  });

  const signer = newSigner("example.com/log");
  const leaf = new TextEncoder().encode('{"seq":0}');
  const only = { extra: leaf, index: 0, path: [], checkpoint: signNote(checkpointText("example.com/log", 1, leafHash(leaf)), signer) };

  test("a proof file that carries its record verifies by itself", () => {
    expect(verifyProof(formatProof(only), [parseVerifierKey(signer.vkey)]).entry).toEqual(leaf);
    expect(() => verifyProof(formatProof({ ...only, extra: Uint8Array.of(1) }), [parseVerifierKey(signer.vkey)])).toThrow("not in the tree");
    expect(() => verifyProof(formatProof({ ...only, extra: null }), [parseVerifierKey(signer.vkey)])).toThrow("no entry");
  });

  test.each([
    ["another header", (text: string) => text.replace("@v1", "@v2")], ["extra data that is no base64", (text: string) => text.replace("extra ", "extra !")], ["no index", (text: string) => text.replace("index 0\n", "")],
    ["a padded index", (text: string) => text.replace("index 0", "index 00")], ["a negative index", (text: string) => text.replace("index 0", "index -5")], ["a hash of 64 bytes", (text: string) => text.replace("index 0\n", `index 0\n${toBase64(new Uint8Array(64))}\n`)],
    ["no base64 for a hash", (text: string) => text.replace("index 0\n", "index 0\n!!\n")], ["64 hashes", (text: string) => text.replace("index 0\n", `index 0\n${`${toBase64(new Uint8Array(32))}\n`.repeat(64)}`)],
  ])("a proof file with %s is refused", (_, change) => {
    expect(() => verifyProof(change(formatProof(only)), [parseVerifierKey(signer.vkey)])).toThrow(VerifyError);
  });
});

describe("the verifier as a program, copied away", () => {
  const folder = mkdtempSync(join(tmpdir(), "lanyard-verifier-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  // As JavaScript, so that it is shown to run without anything of this repository, on whatever Node there is.
  const program = join(folder, "verify.mjs");
  writeFileSync(program, stripTypeScriptTypes(readFileSync(fileURLToPath(new URL("./verify.ts", import.meta.url)), "utf8")));
  const signer = newSigner("example.com/log");
  const records = Array.from({ length: 300 }, (_, seq) => canonicalize({ seq, text: "line \u2028 separator" }));
  const signed = (lines: readonly string[]): string => {
    const tree = lines.reduce((before, line) => grow(before, leafHash(line)), emptyFrontier);
    return signNote(checkpointText(signer.name, tree.size, rootOf(tree)), signer);
  };
  const exported = (lines: readonly string[], note: string): string => [exportHeader, ...lines, "", note].join("\n");
  const run = (text: string, ...options: string[]): string => {
    writeFileSync(join(folder, "input"), text);
    try {
      return execFileSync(process.execPath, [program, join(folder, "input"), "--key", signer.vkey, ...options], { encoding: "utf8", stdio: "pipe" });
    } catch (error) {
      const { stdout, stderr, status } = error as { stdout: string; stderr: string; status: number };
      return `${status}: ${stdout}${stderr}`;
    }
  };

  test("says of an export what is wrong and where", () => {
    expect(run(exported(records, signed(records)))).toBe("ok: 300 records\n");
    const changed = records.with(7, records[7]?.replace("7", "8") ?? "");
    expect(run(exported(changed, signed(records)))).toBe("1: record 7: the record carries another seq\nledger: the records do not hash to the checkpoint's root\n");
    expect(run(exported(records.slice(0, -1), signed(records)))).toBe("1: ledger: 299 records, but the checkpoint covers 300\n");
    const spaced = records.with(9, records[9]?.replace(":", ": ") ?? "");
    expect(run(exported(spaced, signed(spaced)))).toBe("1: record 9: the record is not canonical\n");
  });

  test("remembers a checkpoint", () => {
    writeFileSync(join(folder, "early"), signed(records.slice(0, 100)));
    expect(run(exported(records, signed(records)), "--from", join(folder, "early"))).toBe("ok: 300 records\n");
    const rewritten = records.with(50, canonicalize({ seq: 50, text: "another" }));
    expect(run(exported(rewritten, signed(rewritten)))).toBe("ok: 300 records\n");
    expect(run(exported(rewritten, signed(rewritten)), "--from", join(folder, "early"))).toBe("1: ledger: the first 100 records are not those of the remembered checkpoint\n");
    expect(run(exported(records.slice(0, 50), signed(records.slice(0, 50))), "--from", join(folder, "early"))).toBe("1: ledger: 50 records, but a remembered checkpoint covers 100\n");
  });

  test("checks a proof file, and refuses what is neither", () => {
    const note = signed(records.slice(0, 2));
    const proof = formatProof({ extra: Buffer.from(records[1] ?? ""), index: 1, path: [leafHash(records[0] ?? "")], checkpoint: note });
    expect(run(proof)).toBe(`ok: entry 1 is in example.com/log at size 2\n${records[1]}\n`);
    expect(run(proof.replace("index 1", "index 0"))).toBe("2: entry 0 is not in the tree of size 2\n");
    expect(run("hello\n")).toBe(`2: \`${join(folder, "input")}\` is no export, proof or incident report\n`);
  });
});

test("an export without its checkpoint is refused", async () => {
  await expect(verifyExport(["{}", ""], [])).rejects.toThrow(VerifyError);
});

test("consistency: sizes that make no sense are refused", () => {
  const root = leafHash("a");
  expect([verifyConsistency(2, root, 1, root, []), verifyConsistency(-1, root, 1, root, []), verifyConsistency(1, root, 1, root, [root]), verifyConsistency(0, root, 1, root, []), verifyConsistency(1, root, 2, root, [])]).toEqual([false, false, false, false, false]);
  expect(rootFromInclusion(root, 1, 1, [])).toBeNull();
});

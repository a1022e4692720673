import { expect, test } from "vitest";
import { checkpointText, newSigner, signNote } from "./note.ts";
import { consistencyProof, rootAt, type NodeSource } from "./tree.ts";
import { leafHash, nodeHash, openNote, parseVerifierKey, toBase64 } from "./verify.ts";
import { witness, type WitnessAnswer, type Witnessed } from "./witness.ts";

const log = newSigner("example.com/log");
const signer = newSigner("witness.example/w1", 4);
const keys = [parseVerifierKey(log.vkey)];
const node: NodeSource = (level, index) => (level === 0 ? leafHash(String(index)) : nodeHash(node(level - 1, index * 2), node(level - 1, index * 2 + 1)));
const other: NodeSource = (level, index) => (level === 0 ? leafHash(`other ${index}`) : nodeHash(other(level - 1, index * 2), other(level - 1, index * 2 + 1)));
const note = (size: number, tree = node): string => signNote(checkpointText(log.name, size, rootAt(size, tree)), log);
const request = (old: number, size: number, tree = node): string => `old ${old}\n${consistencyProof(old, size, tree).map((hash) => `${toBase64(hash)}\n`).join("")}\n${note(size, tree)}`;
const ask = (body: string, known: Witnessed | null): WitnessAnswer => witness({ signer, keys, origin: log.name, known }, body, 1_679_315_147);
const at = (size: number): Witnessed => ({ size, root: rootAt(size, node) });

test("a first, a later and the same checkpoint are cosigned, and the cosignature verifies with its time", () => {
  for (const [body, known, size] of [[request(0, 5), null, 5], [request(5, 9), at(5), 9], [request(9, 9), at(9), 9]] as const) {
    const answer = ask(body, known);
    if (answer.status !== 200) throw new Error(answer.body);
    expect([answer.remember.size, toBase64(answer.remember.root)]).toEqual([size, toBase64(rootAt(size, node))]);
    const cosigned = note(size) + answer.body;
    expect(openNote(cosigned, [parseVerifierKey(signer.vkey)])).toBe(checkpointText(log.name, size, rootAt(size, node)));
    const stamped = Buffer.from(answer.body.trim().split(" ")[2] ?? "", "base64");
    expect([stamped.length, stamped.readBigUInt64BE(4)]).toEqual([76, 1_679_315_147n]);
    expect(() => openNote(cosigned.replace(`\n${size}\n`, `\n${size + 1}\n`), [parseVerifierKey(signer.vkey)])).toThrow("does not match");
  }
});

test.each<[string, number, string, Witnessed | null]>([
  ["another history", 422, request(5, 9, other), at(5)],
  ["another history of the same size", 409, request(5, 5, other), at(5)],
  ["a proof for the first checkpoint", 422, request(0, 5).replace("old 0\n", `old 0\n${toBase64(leafHash("x"))}\n`), null],
  ["an old size that is not the witness's", 409, request(4, 9), at(5)],
  ["an old size where nothing was cosigned", 409, request(4, 9), null],
  ["a rollback", 400, `old 9\n\n${note(5)}`, at(9)],
  ["an unknown log", 404, request(0, 5).replaceAll("example.com/log", "example.com/lag"), null],
  ["another key's signature", 403, `old 0\n\n${signNote(checkpointText(log.name, 5, rootAt(5, node)), newSigner(log.name))}`, null],
  ["a checkpoint changed after signing", 403, request(0, 5).replace("\n5\n", "\n6\n"), null],
  ["a padded old size", 400, request(5, 9).replace("old 5", "old 05"), at(5)],
  ["64 proof lines", 400, `old 5\n${`${toBase64(leafHash("x"))}\n`.repeat(64)}\n${note(9)}`, at(5)],
  ["a proof line that is no hash", 400, `old 5\nAAAA\n\n${note(9)}`, at(5)],
  ["nothing", 400, "", null],
])("%s is answered with %i", (_, status, body, known) => {
  expect(ask(body, known).status).toBe(status);
});

test("a conflict tells the size last cosigned", () => {
  expect(ask(request(4, 9), at(5))).toMatchObject({ status: 409, body: "5\n" });
});

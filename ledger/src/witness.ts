import { cosignatureLine, type Signer } from "./note.ts";
import { fromBase64, openNote, parseCheckpoint, sameBytes, verifyConsistency, VerifyError, type Checkpoint, type VerifierKey } from "./verify.ts";

/** What a witness remembers of one log. */
export interface Witnessed {
  readonly size: number;
  readonly root: Uint8Array;
}

/** An answer of C2SP tlog-witness `add-checkpoint`; `remember` must be durable before the answer is sent. */
export type WitnessAnswer =
  | { readonly status: 200; readonly body: string; readonly remember: Witnessed }
  | { readonly status: 400 | 403 | 404 | 409 | 422; readonly body: string };

interface Request {
  readonly oldSize: number;
  readonly proof: readonly Uint8Array[];
  readonly note: string;
}

const parseRequest = (body: string): Request | null => {
  const split = body.indexOf("\n\n");
  const [old = "", ...lines] = body.slice(0, Math.max(split, 0)).split("\n");
  const oldSize = Number(/^old (0|[1-9][0-9]{0,15})$/.exec(old)?.[1] ?? NaN);
  const proof = lines.map(fromBase64);
  if (!Number.isSafeInteger(oldSize) || lines.length > 63 || !proof.every((hash) => hash?.length === 32)) return null;
  return { oldSize, proof: proof as Uint8Array[], note: body.slice(split + 2) };
};

const opened = (note: string, keys: readonly VerifierKey[]): { text: string; checkpoint: Checkpoint } | null => {
  try {
    const text = openNote(note, keys);
    return { text, checkpoint: parseCheckpoint(text) };
  } catch (cause) {
    if (cause instanceof VerifyError) return null;
    throw cause;
  }
};

/**
 * Checks a request of `add-checkpoint` and cosigns. `known` is what was last cosigned for this log (null: never), `keys` what the log
 * signs with. Invariant: nothing is cosigned that is not consistent with what was cosigned before.
 */
export const witness = (
  { signer, keys, origin, known }: { signer: Signer; keys: readonly VerifierKey[]; origin: string; known: Witnessed | null },
  body: string, seconds: number,
): WitnessAnswer => {
  const request = parseRequest(body);
  if (request === null) return { status: 400, body: "malformed request\n" };
  if (!request.note.startsWith(`${origin}\n`)) return { status: 404, body: "unknown log\n" };
  const signed = opened(request.note, keys);
  if (signed === null) return { status: 403, body: "no trusted key signed this checkpoint\n" };
  const { text, checkpoint } = signed;
  const { oldSize, proof } = request;
  if (oldSize > checkpoint.size) return { status: 400, body: "the old size exceeds the checkpoint's\n" };
  if (oldSize !== (known?.size ?? 0)) return { status: 409, body: `${known?.size ?? 0}\n` };
  if (known !== null && oldSize === checkpoint.size && !sameBytes(known.root, checkpoint.root)) return { status: 409, body: `${known.size}\n` };
  const consistent = oldSize === 0 ? proof.length === 0 : verifyConsistency(oldSize, (known as Witnessed).root, checkpoint.size, checkpoint.root, proof);
  if (!consistent) return { status: 422, body: "the checkpoint is not consistent with the last one cosigned\n" };
  return { status: 200, body: cosignatureLine(text, signer, seconds), remember: { size: checkpoint.size, root: checkpoint.root } };
};

import { parseJson, type JsonObject } from "@lanyard/contract";
import { canonicalize, openNote, parseVerifierKey, signNote, VerifyError, type Signer } from "@lanyard/ledger";

/**
 * Signs statements with the ledger's key, as C2SP signed notes: a line that says what kind of statement it is, then the statement as RFC
 * 8785 JSON. The second line begins with a brace, so no statement can ever pass for a checkpoint, whose second line is a number.
 */
export interface Notary {
  /** A signed note. `what` is one line that names the kind and its version. Writes nothing. Throws VerifyError for what is no JSON. */
  vouch(what: string, statement: JsonObject): string;
  /** The statement of a note of this kind; null when the ledger's key did not sign it, or it is of another kind. */
  vouched(what: string, note: string): JsonObject | null;
}

export const notaryOf = (signer: Signer): Notary => {
  const key = parseVerifierKey(signer.vkey);
  return {
    vouch: (what, statement) => signNote(`${what}\n${canonicalize(statement)}\n`, signer),
    vouched: (what, note) => {
      try {
        const text = openNote(note, [key]);
        return text.startsWith(`${what}\n{`) ? (parseJson(text.slice(what.length + 1)) as JsonObject) : null;
      } catch (error) {
        if (error instanceof VerifyError) return null;
        throw error;
      }
    },
  };
};

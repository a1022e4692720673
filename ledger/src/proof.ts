import { proofHeader, toBase64, type TlogProof } from "./verify.ts";

/** Writes a C2SP tlog-proof file; `verify.ts` reads it. */
export const formatProof = ({ extra, index, path, checkpoint }: TlogProof): string =>
  [proofHeader, ...(extra ? [`extra ${toBase64(extra)}`] : []), `index ${index}`, ...path.map(toBase64), "", checkpoint].join("\n");

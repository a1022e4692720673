export * from "./note.ts";
export * from "./proof.ts";
export * from "./tiles.ts";
export * from "./tree.ts";
export * from "./verify.ts";
export * from "./witness.ts";

// Without records.ts and requests.ts, which check by zod: whoever needs them imports them by name, and all others load in a third of the time.
export * from "./action.ts";
export * from "./catalog.ts";
export * from "./decision.ts";
export * from "./registry.ts";
export * from "./errors.ts";
export * from "./facts.ts";
export * from "./json.ts";
export * from "./notice.ts";
export * from "./quorum.ts";
export type * from "./records.ts";
export * from "./routes.ts";
export * from "./stop.ts";
export * from "./web.ts";

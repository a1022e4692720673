export * from "./action.ts";
export * from "./catalog.ts";
export * from "./decision.ts";
export * from "./registry.ts";
export * from "./errors.ts";
export * from "./json.ts";
export * from "./records.ts";
export * from "./routes.ts";

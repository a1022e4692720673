export { decodeBundle, type Bundle, type Policy } from "./bundle.ts";
export { denyUnasked } from "./combine.ts";
export { compile, type Compiled, type Source } from "./compile.ts";
export { Compiler } from "./compiler.ts";
export { Engine, type After, type EngineOptions } from "./engine.ts";
export { describeProblem, type PolicyProblem } from "./problem.ts";
export { schemaFromTools, type ApprovedTool, type ToolSet, type CedarSchema } from "./schema.ts";
export type { Note } from "./shape.ts";
export type { SourcePlace, PolicyFile } from "./split.ts";

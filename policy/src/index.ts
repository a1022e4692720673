export { compile, type Compiled, type Source } from "./author/compile.ts";
export { Compiler } from "./author/compiler.ts";
export { describeProblem, type PolicyProblem } from "./author/problem.ts";
export type { SourcePlace, PolicyFile } from "./author/split.ts";
export { decodeBundle, type Bundle, type Policy } from "./bundle.ts";
export { denyUnasked } from "./decide/combine.ts";
export { openSnapshot, type Snapshot } from "./decide/snapshot.ts";
export { schemaFromTools, type ApprovedTool, type Ground, type ToolSet, type CedarSchema } from "./schema/schema.ts";
export type { Note } from "./schema/shape.ts";

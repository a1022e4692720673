/** Root of the clone. */
export const root: string;
/** See install.mjs: installs the programs pinned in `folder` (relative to the root) into the cache and resolves with where they lie. */
export function programs(folder: string, what?: string): Promise<string>;
export function environment(node: string, extra?: Record<string, string | undefined>): NodeJS.ProcessEnv;
export function compileCache(): string;
/** See install.mjs: what Node has compiled does not grow without end. */
export function boundCompileCache(): void;
/** See install.mjs: bubblewrap and the guest agent; resolves with the agent's path. */
export function isolation(): Promise<string>;
/** See install.mjs: PostgreSQL for tests and benchmarks; resolves with the folder of its programs. Throws when it cannot be had. */
export function postgres(): Promise<string>;

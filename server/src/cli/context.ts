import type { Client } from "./client.ts";
import type { Terminal } from "./terminal.ts";

/** What main.ts hands to every verb. */
export interface Context extends Terminal {
  /** A client of the daemon if one runs, else of an API opened in this process on the data folder (reading only). */
  reach(options?: { daemonOnly?: boolean; token?: string }): Promise<Client>;
  /** Environment variable by name; undefined when unset or empty. */
  variable(name: string): string | undefined;
  /** Path of lanyard.yaml in use: `--config`, LANYARD_CONFIG, or ./lanyard.yaml. */
  configPath(): string;
}

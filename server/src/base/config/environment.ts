import { homedir } from "node:os";
import { join } from "node:path";
import { Fault } from "@lanyard/contract";

/** The variables of a process. Everything else takes them as a value, so that tests need not touch the real ones. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A copy of this process's environment; the only place in the server that reads it. */
export const systemEnvironment = (): Environment => ({ ...process.env });

/** What Lanyard itself takes from the environment. */
export interface Settings {
  /** LANYARD_CONFIG: path of lanyard.yaml. Default: `lanyard.yaml` in the working folder. */
  readonly config: string;
  /** LANYARD_HOME: folder of what belongs to the user rather than to a project. Default: `~/.lanyard`. */
  readonly home: string;
  /** LANYARD_TOKEN: the token of the session this process runs in; null outside of one. */
  readonly token: string | null;
  /** LANYARD_CREDENTIAL: an agent's or user's credential. */
  readonly credential: string | null;
  /** LANYARD_LOG: the least level that is logged. Default: info. */
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

export function settings(environment: Environment): Settings {
  const given = (name: string) => environment[name] || null;
  const level = given("LANYARD_LOG") ?? "info";
  if (level !== "debug" && level !== "info" && level !== "warn" && level !== "error") {
    throw new Fault("invalid_config", `LANYARD_LOG is \`${level}\`, which is none of debug, info, warn, error`);
  }
  return {
    config: given("LANYARD_CONFIG") ?? "lanyard.yaml",
    home: given("LANYARD_HOME") ?? join(homedir(), ".lanyard"),
    token: given("LANYARD_TOKEN"),
    credential: given("LANYARD_CREDENTIAL"),
    logLevel: level,
  };
}

/** `${env:NAME}` and `${credential:NAME}` in a value of `env:` or `headers:`. */
export const templatePattern = /\$\{(?:env:([A-Za-z_][A-Za-z0-9_]*)|credential:([A-Za-z0-9][A-Za-z0-9._-]{0,63}))\}/g;

/** Names of the credentials that a template asks for. */
export const credentialsIn = (text: string): string[] => [...text.matchAll(templatePattern)].flatMap(([, , name]) => name ?? []);

/** Names of the variables that a template asks for. */
export const variablesIn = (text: string): string[] => [...text.matchAll(templatePattern)].flatMap(([, name]) => name ?? []);

/**
 * Fills in `${env:NAME}`, and `${credential:NAME}` out of the values given, at the moment the value is used and nowhere earlier, so that the Config never holds what the template stands for.
 * Throws Fault `invalid_config` naming the variable when it is not set; the values themselves are in no message.
 */
export function unsealTemplate(values: Readonly<Record<string, string>>, environment: Environment, credentials: ReadonlyMap<string, string> = new Map()): Record<string, string> {
  const fill = (where: string) => (_: string, variable: string | undefined, credential: string | undefined) => {
    const value = variable === undefined ? credentials.get(credential ?? "") : environment[variable];
    if (value === undefined) throw new Fault("invalid_config", `\`${where}\` needs the ${variable === undefined ? `credential \`${credential ?? ""}\`, which is not lent to it` : `environment variable \`${variable}\`, which is not set`}`);
    return value;
  };
  return Object.fromEntries(Object.entries(values).map(([key, text]) => [key, text.replace(templatePattern, fill(key))]));
}

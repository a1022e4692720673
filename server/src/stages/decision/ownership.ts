import { Fault } from "@lanyard/contract";
import { teamOf, type PolicyFile } from "@lanyard/policy";
import type { Config } from "../../base/config/config.ts";
import type { Limits } from "../../base/limits.ts";
import type { Edition } from "./edition.ts";

/** What publishing does to one file. */
export interface FileChange {
  readonly file: string;
  readonly change: "added" | "changed" | "removed";
}

/** Who is who, as lanyard.yaml says. */
export type Owners = Pick<Config, "owners" | "teams" | "users">;

const filesOf = (edition: Edition | null): ReadonlyMap<string, string> => new Map([...(edition?.policies ?? []), ...(edition?.tests ?? [])].map(({ file, text }) => [file, text]));

/** What `after` changes against `before`, cases included, sorted by file. */
export const changesBetween = (before: Edition | null, after: Edition): FileChange[] => {
  const [old, young] = [filesOf(before), filesOf(after)];
  const names = [...new Set([...old.keys(), ...young.keys()])].sort();
  return names.flatMap((file): FileChange[] => {
    if (!old.has(file)) return [{ file, change: "added" }];
    if (!young.has(file)) return [{ file, change: "removed" }];
    return old.get(file) === young.get(file) ? [] : [{ file, change: "changed" }];
  });
};

/** Groups whose members own a file. A team that names no owners is the organisation's, and so is one that nobody registered. */
const groupsOf = (file: string, { owners, teams }: Owners): readonly string[] => {
  const own = teams.get(teamOf(file))?.owners ?? [];
  return own.length > 0 ? own : owners;
};

const isIn = (user: string, groups: readonly string[], { users }: Owners): boolean => users.get(user)?.groups.some((group) => groups.includes(group)) ?? false;

/** Whether a user speaks for the organisation's own policies. */
export const ownsOrg = (user: string, config: Owners): boolean => isIn(user, config.owners, config);

/** Agents whose doings somebody who owns policies may see: those of the teams it owns; null for all, to owners of the organisation's own. */
export const agentsSeenBy = (user: string, config: Owners & Pick<Config, "agents">): ReadonlySet<string> | null => {
  if (ownsOrg(user, config)) return null;
  const owned = ({ team }: { readonly team: string }): boolean => isIn(user, config.teams.get(team)?.owners ?? [], config);
  return new Set([...config.agents].flatMap(([agent, entry]) => (owned(entry) ? [agent] : [])));
};

/** The first change that is not this user's to make; null when all are. */
export const foreignChange = (user: string, changes: readonly FileChange[], config: Owners): FileChange | null =>
  changes.find(({ file }) => !isIn(user, groupsOf(file, config), config)) ?? null;

/**
 * An edition with those cases alone that a change must pass, the organisation's and those of folders that it changes or its author owns; and
 * with the others. Invariant: no team's cases stand in the way of what the organisation forbids.
 */
export const casesFor = (user: string, edition: Edition, changes: readonly FileChange[], config: Owners): { readonly binding: Edition; readonly others: Edition } => {
  const changed = new Set(changes.map(({ file }) => teamOf(file)));
  const binds = ({ file }: PolicyFile): boolean => teamOf(file) === "" || changed.has(teamOf(file)) || foreignChange(user, [{ file, change: "changed" }], config) === null;
  return { binding: { ...edition, tests: edition.tests.filter(binds) }, others: { ...edition, tests: edition.tests.filter((file) => !binds(file)) } };
};

/** Refuses a change of what somebody else owns. Throws Fault `forbidden` that names the file and its owners. */
export const demandOwned = (user: string, changes: readonly FileChange[], config: Owners, doing: string): void => {
  const foreign = foreignChange(user, changes, config);
  if (foreign === null) return;
  const groups = groupsOf(foreign.file, config);
  const owners = groups.length > 0 ? `members of ${groups.map((group) => `\`${group}\``).join(" or ")}` : "nobody: lanyard.yaml names no `owners`";
  throw new Fault("forbidden", `${doing}: the file \`${foreign.file}\` would be ${foreign.change}, and it is not for \`${user}\` to change; its owners are ${owners}`, { remedy: "" });
};

const wrong = (message: string): never => {
  throw new Fault("invalid_request", message);
};

/** Checks files as they were uploaded: names, endings, text, limits. Throws Fault `invalid_request`, `limit_exceeded`. */
export const checkUpload = ({ policies, tests }: Omit<Edition, "version">, limits: Pick<Limits, "policy_bytes" | "policy_files">): void => {
  const seen = new Set<string>();
  const check = ({ file, text }: PolicyFile, ending: string): void => {
    const isPlain = /^[^\\\p{Cc}]+$/u.test(file) && file.isWellFormed() && file.split("/").every((part) => part !== "" && !part.startsWith("."));
    if (!isPlain || !file.endsWith(ending)) wrong(`\`${file}\` cannot be the name of a file here: it is a path below the folder that ends in \`${ending}\``);
    if (seen.has(file)) wrong(`the file \`${file}\` comes twice`);
    if (!text.isWellFormed()) wrong(`the file \`${file}\` is no Unicode text`);
    seen.add(file);
  };
  for (const file of policies) check(file, ".cedar");
  for (const file of tests) check(file, ".yaml");
  if (seen.size > limits.policy_files) throw new Fault("limit_exceeded", `publishing ${seen.size} files: more than ${limits.policy_files} (limit policy_files)`);
  for (const files of [policies, tests]) {
    const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    if (bytes > limits.policy_bytes) throw new Fault("limit_exceeded", `publishing ${bytes} bytes: more than ${limits.policy_bytes} (limit policy_bytes)`);
  }
};

/** `upload` for a team alone (empty: for the organisation alone): all but its folder stays as it is in `base`. Throws Fault `forbidden` when the upload has other files and they differ. */
export const withinTeam = (base: Edition | null, upload: Edition, team: string): Edition => {
  const old = filesOf(base);
  for (const { file, text } of [...upload.policies, ...upload.tests]) {
    if (teamOf(file) !== team && old.get(file) !== text) {
      const what = team === "" ? `publishing the organisation's files: \`${file}\` is a team's` : `publishing for the team \`${team}\`: the file \`${file}\` is not below \`teams/${team}/\``;
      throw new Fault("forbidden", `${what}, and it is not what the newest version has; its owners change it`, { remedy: "" });
    }
  }
  const merged = (before: readonly PolicyFile[] = [], own: readonly PolicyFile[]): PolicyFile[] => [
    ...before.filter(({ file }) => teamOf(file) !== team),
    ...own.filter(({ file }) => teamOf(file) === team),
  ];
  return { version: upload.version, policies: merged(base?.policies, upload.policies), tests: merged(base?.tests, upload.tests) };
};

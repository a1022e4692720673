import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemProgram } from "./bubblewrap.ts";

/** The user of a sandbox that root starts: one that owns nothing. */
const nobodysId = 65_533;
/** Where that user finds what it may show. */
const stage = "/run";

export interface OtherUser {
  /** The words before the command of whom becomes another user. */
  readonly before: readonly string[];
  /** Where a path that is shown lies for that user. */
  source(path: string): string;
}

/** Binds each pair of paths, then shows the folder of all at the stage. */
const bindAll = `mount=$1; folder=$2; shift 2
until [ "$1" = -- ]; do "$mount" --rbind "$1" "$2" || exit 126; shift 2; done
shift; "$mount" --rbind "$folder" ${stage} && exec "$@"`;

/**
 * Invariant: bubblewrap never runs with euid 0. What root shows may lie where only root gets to, Node in root's cache for one; so root binds it,
 * in a mount namespace that nobody else is in, at a place that the other user reaches. `own` is the session's folder.
 */
export function asOtherUser(shown: readonly string[], own: string): OtherUser {
  if (process.geteuid?.() !== 0) return { before: [], source: (path) => path };
  const become = [systemProgram("setpriv") ?? "", "--reuid", String(nobodysId), "--regid", String(nobodysId), "--clear-groups", "--"];
  if (shown.length === 0) return { before: become, source: (path) => path };
  const folder = join(own, "shown");
  mkdirSync(folder, { mode: 0o755 });
  const pairs = shown.flatMap((path, at) => {
    const place = join(folder, String(at));
    if (statSync(path).isDirectory()) mkdirSync(place);
    else writeFileSync(place, "");
    return [path, place];
  });
  return {
    before: [systemProgram("unshare") ?? "", "--mount", "--propagation", "private", "/bin/sh", "-c", bindAll, "sh", systemProgram("mount") ?? "", folder, ...pairs, "--", ...become],
    source: (path) => join(stage, String(shown.indexOf(path))),
  };
}

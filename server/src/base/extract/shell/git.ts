import type { ShellFacts } from "@lanyard/contract";
import type { ShellCall } from "./call.ts";
import { hostOf } from "./hosts.ts";
import { optionsOf, parseOptions, type OptionSpec, type ParsedOptions } from "./options.ts";
import type { ShellWord } from "./words.ts";

const spec = (short: string, long = ""): OptionSpec => optionsOf(short, long.split(" "));

const walking =
  "oneline stat graph all name-only name-status cached staged pretty pretty= format= abbrev-commit abbrev= max-count= since= until= after= before= author= committer= grep= no-color color color= decorate decorate= follow numstat shortstat patch no-patch raw reverse merges no-merges first-parent word-diff unified= diff-filter= branches tags remotes date= relative no-renames find-renames summary check exit-code quiet minimal patience histogram left-right cherry-pick ancestry-path topo-order date-order author-date-order no-ext-diff no-textconv ignore-all-space ignore-space-change skip= source show-signature root full-history dirstat compact-summary merge-base binary count parents children";

/** Subcommands that only tell, with the options that keep to it. Abbreviations are not known. */
const telling: ReadonlyMap<string, OptionSpec> = new Map([
  ...["log", "diff", "show", "shortlog", "rev-list", "whatchanged", "diff-tree", "diff-index", "diff-files"].map((name) => [name, spec("pusnerwbziacRm0123456789:nULSGM", walking)] as const),
  ["status", spec("sbuvz", "short branch porcelain porcelain= long untracked-files untracked-files= ignored verbose show-stash")],
  ["rev-parse", spec("q", "abbrev-ref show-toplevel short short= verify git-dir is-inside-work-tree git-common-dir absolute-git-dir show-prefix symbolic symbolic-full-name is-bare-repository show-cdup quiet")],
  ["ls-files", spec("comdszutkv", "others cached modified deleted exclude-standard stage unmerged error-unmatch full-name ignored exclude=")],
  ["ls-tree", spec("rtdzl", "name-only long full-name full-tree name-status")],
  ["blame", spec("swtfnecpl:LMC", "line-porcelain porcelain show-email date=")],
  ["annotate", spec("l:L")],
  ["cat-file", spec("tpse", "batch-check")],
  ["describe", spec("", "tags always dirty abbrev= long all contains exact-match match=")],
  ["merge-base", spec("a", "all is-ancestor fork-point octopus independent")],
  ["name-rev", spec("", "name-only tags always all")],
  ["for-each-ref", spec("", "format= sort= count= contains= merged=")],
  ["show-ref", spec("s", "heads tags verify hash quiet")],
  ["count-objects", spec("vH")],
  ["grep", spec("inwlcEFPLvhHqpIaWo:eABCm", "ignore-case line-number word-regexp files-with-matches count extended-regexp fixed-strings cached untracked no-color heading break and or not show-function max-depth=")],
  ["version", spec("")],
  ["check-ignore", spec("vnq")],
  ["check-attr", spec("a")],
  ["verify-commit", spec("v")],
  ["var", spec("l")],
]);

/** Subcommands that tell with certain words and change something with others: what tells. */
const sometimes: ReadonlyMap<string, (texts: readonly string[]) => boolean> = new Map([
  ["branch", (texts) => texts.every((text) => /^(-[arv]+|-vv|--(list|all|remotes|show-current|verbose|merged|no-merged|no-color|sort=.*|format=.*|contains=.*))$/.test(text))],
  ["tag", (texts) => texts.length === 0 || (/^(-l|--list)$/.test(texts[0] ?? "") && texts.slice(1).every((text) => /^(--(sort|format)=.*|[^-].*)$/.test(text))) || texts.every((text) => /^-n\d*$/.test(text))],
  ["remote", (texts) => texts.length === 0 || /^(-v|--verbose|get-url [\w./-]+)$/.test(texts.join(" "))],
  ["stash", (texts) => texts[0] === "list" || (texts[0] === "show" && texts.slice(1).every((text) => /^(-p|--stat|stash@\{\d+\}|\d+)$/.test(text)))],
  ["config", (texts) => /^(--(global|local|system|show-origin|show-scope) )*(-l|--list|list|get [\w.-]+|--get(-all)? [\w.-]+|[\w-]+\.[\w.-]+)$/.test(texts.join(" "))],
  ["reflog", (texts) => texts.length === 0 || (texts[0] === "show" && texts.length <= 2 && !texts[1]?.startsWith("--output"))],
  ["worktree", (texts) => /^list( --porcelain)?$/.test(texts.join(" "))],
  ["submodule", (texts) => texts.length === 0 || texts.join(" ") === "status"],
  ["notes", (texts) => texts[0] === "list" || texts[0] === "show"],
  ["symbolic-ref", (texts) => texts.every((text) => /^(--short|-q|--quiet|HEAD)$/.test(text))],
]);

const classes: Readonly<Record<string, ShellFacts["class"]>> = {
  ...Object.fromEntries(
    "add commit mv rm checkout switch restore reset clean stash merge rebase cherry-pick revert tag branch init apply am worktree gc prune reflog update-ref notes sparse-checkout format-patch read-tree update-index symbolic-ref pack-refs repack remote".split(" ").map((name) => [name, "write"]),
  ),
  ...Object.fromEntries("push pull fetch clone ls-remote submodule archive".split(" ").map((name) => [name, "network"])),
  ...Object.fromEntries("config filter-branch filter-repo bisect difftool mergetool send-email daemon web--browse instaweb gui citool svn p4 credential hook maintenance lfs".split(" ").map((name) => [name, "exec"])),
};

/** Options of what reaches other machines: none that names a program to run there or here. */
const reaching: ReadonlyMap<string, OptionSpec> = new Map([
  ["push", spec("fudnqv", "force force-with-lease force-with-lease= force-if-includes tags all mirror prune delete set-upstream dry-run quiet verbose no-verify follow-tags atomic porcelain progress")],
  ["pull", spec("qvrf", "rebase rebase= no-rebase ff-only no-ff ff tags all quiet verbose autostash prune depth= force")],
  ["fetch", spec("qvptaf", "all tags no-tags prune prune-tags depth= unshallow quiet verbose dry-run force")],
  ["clone", spec("qvl:b", "depth= branch= single-branch no-single-branch quiet verbose bare mirror no-tags filter= progress no-checkout")],
  ["ls-remote", spec("hqt", "heads tags refs quiet exit-code symref")],
  ["submodule", spec("q", "quiet")],
  ["archive", spec("v:o", "format= prefix= output=")],
]);

/** Global options that keep to the repository: `-c`, `--exec-path` and the like set what git runs. */
export function git(call: ShellCall): void {
  const { reading, words } = call;
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] as ShellWord;
    if (word.kind === "sure" && word.text === "-C" && words[at + 1]?.kind === "sure") reading.enter((words[++at] as ShellWord).text);
    else if (!/^(--no-pager|-P|--no-optional-locks|--literal-pathspecs)$/.test(word.text)) break;
  }
  const [verb, ...rest] = words.slice(at);
  const texts = rest.map(({ text }) => text);
  if (!verb) return;
  if (/^(--version|--help)$/.test(verb.text)) return;
  if (verb.kind !== "sure" || verb.text.startsWith("-")) return reading.raise(/^(-c|--exec-path|--config-env)/.test(verb.text) ? "exec" : "unknown");
  const tellingSpec = telling.get(verb.text);
  if (rest.some(({ kind }) => kind === "open")) reading.raise("unknown");
  if (tellingSpec) return tells(call, parseOptions(rest, tellingSpec), rest);
  if (sometimes.get(verb.text)?.(texts) && rest.every(({ kind }) => kind === "sure")) return;
  if (at === 0 && /^(?:fetch|pull)$/.test(verb.text) && isFromOrigin(rest)) return reading.raise("build");
  const own = verb.text === "push" && at === 0 ? ownBranch(rest) : null;
  if (own !== null) return reading.push(own, "origin");
  if (/^(?:checkout|switch)$/.test(verb.text) && /^-[bc]$/.test(texts[0] ?? "") && rest[1]?.kind === "sure") reading.begun.add(texts[1] ?? "");
  reading.raise(classes[verb.text] ?? "unknown");
  changes(call, verb.text, rest);
}

/** Branches that others build on, or that something runs from; and names that may be one of them, or no branch. */
const shared = /^(?:main|master|trunk|head|refs|heads|tags|remotes|dev|devel|develop|development|next|stable|live|default|integration|staging|stage|prod|production|gh-pages|pages|release|releases|rel|hotfix|deploy|deployment|v?\d[\w.]*)(?:[/._-]|$)/i;

/** The branch of `git push -u origin <branch>`; null where there is anything more to it: force, a deletion, another name at the remote, a branch that is everybody's. */
function ownBranch(words: readonly ShellWord[]): string | null {
  if (words.some(({ kind }) => kind !== "sure")) return null;
  const texts = words.map(({ text }) => text);
  const [remote, branch = "", ...more] = texts.filter((text) => !/^(?:-u|-q|-v|--set-upstream|--quiet|--verbose)$/.test(text));
  return remote === "origin" && more.length === 0 && /^[a-z](?:[\w-]|[./](?=\w))*$/i.test(branch) && !shared.test(branch) ? branch : null;
}

const taking = /^(?:-q|-v|-p|-t|--quiet|--verbose|--prune|--tags|--ff-only|--rebase|--no-rebase|--autostash)$/;

/** Whether branches are taken from where the project comes from, and nothing else is said: what is there is the project's own. Whoever makes `origin` another place is looked at. */
function isFromOrigin(words: readonly ShellWord[]): boolean {
  if (words.some(({ kind }) => kind !== "sure")) return false;
  const [remote = "origin", ...branches] = words.map(({ text }) => text).filter((text) => !taking.test(text));
  return remote === "origin" && branches.every((branch) => /^[a-z](?:[\w-]|[./](?=\w))*$/i.test(branch));
}

function tells({ reading }: ShellCall, { known, operands }: ParsedOptions, rest: readonly ShellWord[]): void {
  if (!known) reading.raise(rest.some(({ text }) => /^(--output|--ext-diff|-O|--open-files)/.test(text)) ? "exec" : "unknown");
  for (const { text } of operands) if (/[/.~]/.test(text) && !/^[\w/.~^@-]*\.\.[\w/.~^@-]*$/.test(text) && !/^[\w./~^-]+:/.test(text)) reading.path(text);
}

function changes(call: ShellCall, verb: string, rest: readonly ShellWord[]): void {
  const { reading } = call;
  const texts = rest.map(({ text }) => text);
  const has = (pattern: RegExp): boolean => texts.some((text) => pattern.test(text));
  const remote = reaching.get(verb);
  if (remote && !parseOptions(rest, remote).known) reading.raise("unknown");
  if (has(/^(-x|-i|--ex(e|ec|ec=.*)?|--te.*|--int.*|--sep.*)$/) && verb !== "clean") reading.raise("unknown");
  if (has(/^ext::|^\w+::/)) reading.raise("exec");
  if (
    /^(clean|gc|prune|filter-branch|filter-repo)$/.test(verb) ||
    (verb === "rm" && has(/^(-\w*f|--force)/)) || // else it takes nothing away that is in no commit
    (verb === "push" && has(/^(-\w*f|--force|-\w*d$|--delete|--mirror|--prune|\+|:)/)) ||
    (verb === "reset" && has(/^--(hard|merge|keep)/)) ||
    (verb === "restore" || (/^(checkout|switch)$/.test(verb) && has(/^(--|-\w*f|--force|--discard-changes|\.|-B|-C)$/))) ||
    (verb === "branch" && has(/^(-\w*[DfMC]|--force)/)) || // `-d` deletes what is merged, and nothing else
    (/^(tag|update-ref|worktree|remote)$/.test(verb) && has(/^(-\w*[dD]|--delete|remove|rm|prune|-f|--force)$/)) ||
    (/^(stash|reflog)$/.test(verb) && has(/^(drop|clear|expire|delete)$/))
  ) {
    reading.destructive = true;
  }
  if (classes[verb] === "network") return reaches(call, verb, texts);
  if ((verb === "remote" && /^(?:add|set-url|rename|set-branches|set-head)$/.test(texts[0] ?? "")) || (verb === "config" && texts.some((text) => leading.test(text)))) leads(call, texts);
  for (const text of texts) if (!text.startsWith("-") && (/[/.~]/.test(text) || /^(add|rm|mv|restore)$/.test(verb)) && verb !== "commit") reading.path(text);
}

/** Settings that say where a later push or fetch goes, or by what program. */
const leading = /^(?:--[\w-]+=)?(?:remote|url|branch|push|credential|http|https|core\.(?:sshcommand|gitproxy|fsmonitor|hookspath|worktree)|include|includeif|alias|protocol)\b/i;

/** What a remote is called from now on: whoever pushes to it reaches another place. */
function leads({ reading }: ShellCall, texts: readonly string[]): void {
  const hosts = texts.flatMap((text) => (/:\/\/|^[\w.-]+@?[\w.-]*:/.test(text) ? [hostOf({ text, kind: "sure" })] : [])).filter((host) => host !== null);
  for (const host of hosts.length > 0 ? hosts : ["(remote)"]) reading.hosts.add(host);
  reading.raise("network");
}

/** A remote is a URL, a path, or a name whose meaning stands in the configuration: then the name stands among the hosts, in parentheses. */
function reaches({ reading }: ShellCall, verb: string, texts: readonly string[]): void {
  const operands = texts.filter((text) => !text.startsWith("-"));
  const remote = operands[0];
  if (verb === "submodule" || verb === "archive" || remote === undefined) return void reading.hosts.add("(remote)");
  const isUrl = /:\/\/|^[\w.-]+@?[\w.-]*:/.test(remote);
  const host = isUrl ? hostOf({ text: remote, kind: "sure" }) : null;
  if (host) reading.hosts.add(host);
  else if (/[/.~]/.test(remote)) reading.path(remote);
  else reading.hosts.add(`(${remote})`);
  if (verb === "clone") for (const folder of operands.slice(1)) reading.path(folder);
}

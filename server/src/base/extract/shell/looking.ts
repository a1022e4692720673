import { sqlFacts } from "../sql/sql.ts";
import type { ShellCall } from "./call.ts";
import { optionsOf, parseOptions, type OptionSpec } from "./options.ts";
import type { ShellWord } from "./words.ts";

// Programs that can do anything, used in the ways in which they only tell: a service is asked for what it has, at the place that its own configuration says.

interface Look extends OptionSpec {
  /** The service that is asked over the network; null where everything stays on this machine. */
  readonly service: string | null;
  /** The operands, a blank between them. */
  readonly says: RegExp;
  /** Without this option it does something else; null where none is needed. */
  readonly needs: string | null;
}

const name = String.raw`[\w][\w.:@/-]*`;
const look = (service: string | null, says: string, options: string, needs: string | null = null): Look => {
  const [short = "", long = ""] = options.split(" ");
  return { service, needs, says: new RegExp(`^(?:${says})$`), ...optionsOf(short, long.split(",")) };
};

/** What a value of an option must look like where it could name a file, a program or a variable. */
const [format, filter, repository] = [/^(?:wide|json|yaml|name|table|jsonpath=[^$]*|custom-columns=.*)$/, /^(?!.*(?:\benv\b|\$ENV|input)).*$/, /^[\w.-]+\/[\w.-]+$/];
const values: Readonly<Record<string, RegExp>> = { "-o": format, "--output": format, "--jq": filter, "-q": filter, "-R": repository, "--repo": repository };

const looks: ReadonlyMap<string, readonly Look[]> = new Map([
  [
    "kubectl",
    [
      look(
        "kubectl",
        `(?:get|describe|logs|top|explain|events)(?: ${name}(?:,${name})*)*|rollout (?:status|history)(?: ${name})+|version|api-resources|api-versions|cluster-info|config (?:get-contexts|current-context)|auth can-i(?: ${name})+`,
        "AwLp:nloc all-namespaces,namespace=,selector=,output=,container=,field-selector=,sort-by=,show-labels,watch,tail=,since=,since-time=,previous,timestamps,all-containers,limit=,no-headers,context=,prefix,containers,client,revision=,timeout=",
      ),
    ],
  ],
  ["gh", [look("gh", `(?:pr|issue|run|release|repo|workflow|label|cache) (?:list|view|diff|checks|status)(?: [\\w.-]+(?:/[\\w.-]+)?)?`, "c:RLBAalsbqj repo=,json=,jq=,state=,limit=,author=,assignee=,label=,base=,head=,branch=,log,log-failed,comments,workflow=,job=,status=,name-only,required,exit-status")]],
  ["docker", [look(null, `(?:ps|images|logs|top|stats|version|info|port|history)(?: ${name})*|(?:container|image|volume|network) (?:ls|list|logs)(?: ${name})?|compose (?:ps|logs|images|ls)(?: ${name})*`, "aqt:n all,tail=,since=,until=,no-trunc,no-stream,quiet,timestamps,filter=,no-log-prefix,no-color")]],
  ["systemctl", [look(null, `(?:status|is-active|is-enabled|is-failed)(?: ${name})+|(?:list-units|list-timers|list-unit-files)(?: ${name})*`, "alq:nt no-pager,user,all,full,type=,state=,failed,lines=")]],
  ["helm", [look("helm", `(?:list|ls)|(?:status|history) ${name}|version`, "Aaq:no namespace=,all-namespaces,output=,max=")]],
  ["npm", [look(null, `(?:ls|list|explain|why)(?: ${name})*|root|prefix`, "ag depth=,all,json,long,global,prod"), look("npm", `(?:view|info|show) @?${name}(?: [\\w.-]+)*|outdated(?: @?${name})*`, "a json,long,all")]],
  ["ip", [look(null, `(?:addr(?:ess)?|a|link|route|r|neigh(?:bour)?|rule)(?: (?:show|list|ls)(?: (?:dev )?${name})?)?`, "46so brief")]],
  ["apt", [look(null, `list(?: ${name})*|(?:show|policy)(?: ${name})+`, "a upgradable,installed,all-versions")]],
  ["dpkg", [look(null, `(?:${name}(?: ${name})*)?`, "lsLS list,status,listfiles,search")]],
  ["rpm", [look(null, `(?:${name}(?: ${name})*)?`, "qaifl", "-q")]],
  ["crontab", [look(null, "", "l:u", "-l")]],
  ["nginx", [look(null, "", "tTq", "-t")]],
  ["service", [look(null, `${name} status`, "")]],
  ["mount", [look(null, "", "l:t")]],
  ["mailq", [look(null, "", "")]],
  ["postqueue", [look(null, "", "pj")]],
  ["quota", [look(null, `(?:${name})?`, "sugvwp")]],
  ["getent", [look(null, `(?:passwd|group|services|protocols)(?: ${name})*`, "")]],
  ["mysqladmin", [look("mysqladmin", "(?:status|extended-status|processlist|version|ping)", ":u")]],
  ["redis-cli", [look("redis-cli", String.raw`info(?: \w+)?|ping|dbsize`, ":n")]],
  ...["pip", "pip3"].map((pip): [string, readonly Look[]] => [pip, [look(null, `(?:list|freeze|check)|show(?: ${name})+`, "f format=,files")]]),
]);

/** By program, what asks it for its version and nothing else; not those that read a file of the project first, which can start anything: `yarn`, `pnpm`, `mvn`, `gradle`, `composer`. */
const versions: ReadonlyMap<string, RegExp> = new Map(
  (
    [
      [/^--version$|^-v$/, "node npm bun ruby php make"],
      [/^--version$|^-V$/, "python python2 python3 pip pip3 cargo rustc perl psql mysql"],
      [/^(?:--)?version$/, "go terraform tofu docker helm"],
      [/^--?version$/, "java javac dotnet uv gem bundle sqlite3 redis-cli deno gh aws gcloud"],
    ] as const
  ).flatMap(([asked, names]) => names.split(" ").map((called) => [called, asked] as const)),
);

/** Whether a program is used to look at something alone; what it asks over the network is noted. */
export function onlyLooks(call: ShellCall): boolean {
  const { words, reading } = call;
  if (words.some(({ kind }) => kind !== "sure")) return false;
  if (words.length === 1 && versions.get(call.name)?.test(words[0]?.text ?? "")) return true;
  const found = (looks.get(call.name) ?? []).find((one) => isLook(one, call.words));
  if (found === undefined) return queries(call);
  if (found.service !== null) reading.look(`(${found.service})`);
  return true;
}

function isLook(one: Look, words: readonly ShellWord[]): boolean {
  const parsed = parseOptions(words, one);
  const said = parsed.operands.map(({ text }) => text).join(" ");
  // A secret is no plain thing to look at, whatever else is asked for with it.
  return parsed.known && (one.needs === null || parsed.options.has(one.needs)) && one.says.test(said) && !/(?:^|[ ,/])secrets?(?:[ ,./]|$)/i.test(said) && parsed.values.every(({ option, value }) => values[option]?.test(value.text) ?? true);
}

interface Client extends OptionSpec {
  readonly dialect: string;
  readonly statement: RegExp;
}

const clients: ReadonlyMap<string, Client> = new Map([
  ["psql", { dialect: "postgres", statement: /^(?:-c|--command)$/, ...optionsOf("tAxXqwe:cdUFR", ["command=", "dbname=", "username=", "tuples-only", "no-align", "csv", "expanded", "no-psqlrc", "quiet", "no-password"]) }],
  ["mysql", { dialect: "mysql", statement: /^(?:-e|--execute)$/, ...optionsOf("NBtr:eDu", ["execute=", "database=", "user=", "skip-column-names", "batch", "table", "raw"]) }],
]);

/** A client of a database with statements that only read, and no secrets, at the place that its configuration says: another one would be told what stands in them. */
function queries(call: ShellCall): boolean {
  if (call.name === "sqlite3") return queriesFile(call);
  const client = clients.get(call.name);
  if (client === undefined) return false;
  const { known, operands, values: given } = parseOptions(call.words, client);
  const statements = given.filter(({ option }) => client.statement.test(option)).map(({ value }) => value.text);
  const databases = [...operands, ...given.filter(({ option }) => /^(?:-[dD]|--dbname|--database)$/.test(option)).map(({ value }) => value)];
  // `postgres://...` and `host=...` are places.
  if (!known || statements.length === 0 || !databases.every(({ text }) => /^[\w-]+$/.test(text)) || !statements.every((one) => reads(one, client.dialect))) return false;
  call.reading.look(`(${call.name})`);
  return true;
}

/** Its options are long ones with one dash. */
const sqliteOptions = /^-(?:header|noheader|csv|json|column|line|list|box|table|markdown|readonly|bail|batch)$/;

function queriesFile({ words, reading }: ShellCall): boolean {
  const [file = "", statement = "", ...more] = words.map(({ text }) => text).filter((text) => !sqliteOptions.test(text));
  if (more.length > 0 || !/^(?!file:)[^-]/.test(file) || !reads(statement, "sqlite")) return false;
  reading.path(file);
  return true;
}

function reads(statement: string, dialect: string): boolean {
  const facts = sqlFacts(statement, dialect);
  return facts.class === "read" && facts.secrets === undefined;
}

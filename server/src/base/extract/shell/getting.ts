import type { ShellCall } from "./call.ts";
import { hostOf } from "./hosts.ts";
import { optionsOf, parseOptions, type OptionSpec, type ParsedOptions } from "./options.ts";

// Programs of the network that only fetch what stands at an address, and print it or nothing of it, or that only try how a machine is reached.

interface Getter extends OptionSpec {
  /** Whether what is fetched is kept nowhere, of the values of options that say where it goes. */
  readonly keepsNothing: (outputs: readonly string[]) => boolean;
}

const getters: ReadonlyMap<string, Getter> = new Map([
  ["curl", { ...optionsOf("sSfLIvig46:mow", ["silent", "show-error", "fail", "fail-with-body", "location", "head", "verbose", "include", "globoff", "compressed", "no-progress-meter", "http1.1", "max-time=", "connect-timeout=", "retry=", "output=", "write-out="]), keepsNothing: (outputs) => outputs.every((file) => file === "/dev/null") }],
  ["wget", { ...optionsOf("qnv46:OT", ["quiet", "no-verbose", "https-only", "timeout=", "output-document="]), keepsNothing: (outputs) => outputs.length === 1 && outputs[0] === "-" }],
]);

/** Options of programs that try how a machine is reached: how often, how long, how it is told. */
const trying: ReadonlyMap<string, OptionSpec> = new Map([
  ["ping", optionsOf("46nqDO:cWwist", [])],
  ["mtr", optionsOf("46nrbwlCjzT:ciPs", ["report", "report-wide", "no-dns", "report-cycles=", "json", "csv"])],
  ["traceroute", optionsOf("46nIT:mqwp", [])],
  ["tracepath", optionsOf("46nb:mp", [])],
]);
const machine = /^(?:\d{1,3}(?:\.\d{1,3}){3}|(?=.*:)[\da-f:]{3,39})$/i;

/** How a call of one of these programs is to be read; null where it is of none, or not all of it is certain. */
function parsedBy<S extends OptionSpec>(specs: ReadonlyMap<string, S>, { name, words }: ShellCall): (ParsedOptions & { readonly spec: S }) | null {
  const spec = specs.get(name);
  if (spec === undefined || words.some(({ kind }) => kind !== "sure")) return null;
  const parsed = parseOptions(words, spec);
  return parsed.known && parsed.operands.length > 0 ? { ...parsed, spec } : null;
}

/** Whether a call only tries how machines are reached that it names by their numbers: a name would be looked up, and say something to whom it belongs. */
export function onlyTries(call: ShellCall): boolean {
  const parsed = parsedBy(trying, call);
  if (parsed === null) return false;
  const { operands, values } = parsed;
  if (!operands.every(({ text }) => machine.test(text)) || !values.every(({ value }) => /^\d+(?:\.\d+)?$/.test(value.text))) return false;
  for (const { text } of operands) call.reading.look(text);
  return true;
}

/** Whether a call only fetches, from addresses that stand in it whole; whose they are is noted. */
export function onlyGets(call: ShellCall): boolean {
  const parsed = parsedBy(getters, call);
  if (parsed === null) return false;
  const { operands, values, spec } = parsed;
  const given = (options: RegExp): readonly string[] => values.filter(({ option }) => options.test(option)).map(({ value }) => value.text);
  // A format may read a file, and write one.
  const formats = given(/^(?:-w|--write-out)$/);
  if (!spec.keepsNothing(given(/^(?:-[oO]|--output(?:-document)?)$/)) || formats.some((one) => /^@|%output\{/.test(one))) return false;
  const hosts = operands.flatMap((operand) => (/^https?:\/\/[^\s{}[\]]+$/i.test(operand.text) ? (hostOf(operand) ?? []) : []));
  if (hosts.length < operands.length) return false;
  for (const host of hosts) call.reading.get(host);
  return true;
}

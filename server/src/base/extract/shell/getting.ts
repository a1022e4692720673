import type { ShellCall } from "./call.ts";
import { hostOf } from "./hosts.ts";
import { optionsOf, parseOptions, type OptionSpec } from "./options.ts";

// Programs of the network that only fetch what stands at an address, and print it or nothing of it.

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

/** Whether a call only tries how machines are reached that it names by their numbers: a name would be looked up, and say something to whom it belongs. */
export function onlyTries({ name, words, reading }: ShellCall): boolean {
  const spec = trying.get(name);
  if (spec === undefined || words.some(({ kind }) => kind !== "sure")) return false;
  const { known, operands, values } = parseOptions(words, spec);
  if (!known || operands.length === 0 || !operands.every(({ text }) => machine.test(text)) || !values.every(({ value }) => /^\d+(?:\.\d+)?$/.test(value.text))) return false;
  for (const { text } of operands) reading.look(text);
  return true;
}

/** Whether a call only fetches, from addresses that stand in it whole; whose they are is noted. */
export function onlyGets({ name, words, reading }: ShellCall): boolean {
  const getter = getters.get(name);
  if (getter === undefined || words.some(({ kind }) => kind !== "sure")) return false;
  const { known, operands, values } = parseOptions(words, getter);
  const given = (options: RegExp): readonly string[] => values.filter(({ option }) => options.test(option)).map(({ value }) => value.text);
  // A format may read a file, and write one.
  const formats = given(/^(?:-w|--write-out)$/);
  if (!known || !getter.keepsNothing(given(/^(?:-[oO]|--output(?:-document)?)$/)) || formats.some((one) => /^@|%output\{/.test(one))) return false;
  const hosts = operands.flatMap((operand) => (/^https?:\/\/[^\s{}[\]]+$/i.test(operand.text) ? (hostOf(operand) ?? []) : []));
  if (hosts.length === 0 || hosts.length < operands.length) return false;
  for (const host of hosts) reading.get(host);
  return true;
}

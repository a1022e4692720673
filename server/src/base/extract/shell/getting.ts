import type { ShellCall } from "./call.ts";
import { hostOf } from "./hosts.ts";
import { optionsOf, parseOptions, type OptionSpec } from "./options.ts";

// Programs of the network that only fetch what stands at an address, and print it.

const getters: ReadonlyMap<string, OptionSpec> = new Map([
  ["curl", optionsOf("sSfLIvig46:m", ["silent", "show-error", "fail", "fail-with-body", "location", "head", "verbose", "include", "globoff", "compressed", "no-progress-meter", "http1.1", "max-time=", "connect-timeout=", "retry="])],
  ["wget", optionsOf("qnv46:OT", ["quiet", "no-verbose", "https-only", "timeout=", "output-document="])],
]);

/** Whether a call only fetches, from addresses that stand in it whole; whose they are is noted. */
export function onlyGets({ name, words, reading }: ShellCall): boolean {
  const spec = getters.get(name);
  if (spec === undefined || words.some(({ kind }) => kind !== "sure")) return false;
  const { known, operands, values } = parseOptions(words, spec);
  const output = values.filter(({ option }) => option === "-O" || option === "--output-document");
  const isPrinted = name === "curl" || (output.length === 1 && output[0]?.value.text === "-");
  if (!known || !isPrinted || operands.length === 0 || !operands.every(({ text }) => /^https?:\/\/[^\s{}[\]]+$/i.test(text))) return false;
  const hosts = operands.flatMap((operand) => hostOf(operand) ?? []);
  if (hosts.length < operands.length) return false;
  for (const host of hosts) reading.get(host);
  return true;
}

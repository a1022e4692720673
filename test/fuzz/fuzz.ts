// `npm run fuzz -- [--policies N] [--seed S] [--mutants] [--json]`: Lanyard's evaluator beside Cedar's own on random policies, at length.
import { parseArgs } from "node:util";
import type { JsonObject } from "@lanyard/contract";
import { differencesIn, makeBatch, type Difference } from "./batch.ts";
import { Dice } from "./dice.ts";
import { loadEvaluator } from "./evaluator.ts";
import { mutations } from "./mutations.ts";
import { evaluatorUrl, tryMutants } from "./mutants.ts";
import { compareDecisions, type Disagreement } from "./product.ts";
import { shrink } from "./shrink.ts";

const usage = `usage: npm run fuzz -- [--policies N] [--seed S] [--mutants] [--json]

Compares Lanyard's evaluator with cedar-wasm: which policies hold, which err and with what words, and whole decisions. Then it breaks the
evaluator in many ways, one at a time, and counts how many of these mutants the same comparison notices.
  --policies N  how many random policies (20000); the mutants are asked 20000 of them at most
  --seed S      repeats a run exactly (the time of day)
  --mutants     the mutants alone
  --json        prints one object

Exit code 1 when there is a difference, or when fewer than nine of ten mutants are noticed.
Example: npm run fuzz -- --policies 200000 --seed 7`;

const { values } = parseArgs({
  options: { policies: { type: "string", default: "20000" }, seed: { type: "string" }, mutants: { type: "boolean", default: false }, json: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
});

const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const wanted = Number(values.policies);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const progress = (line: string): void => void (process.stderr.isTTY && process.stderr.write(`\r\u001b[K${line}`));

const showDifference = ({ policy, question, entities, cedar, lanyard }: Difference): void => {
  say(`\npolicy    ${policy}\ncedar     ${String(cedar)}\nlanyard   ${String(lanyard)}\nquestion  ${JSON.stringify(question)}\nentities  ${JSON.stringify(entities)}`);
};

const showDisagreement = ({ policies, input, snapshot, cedar }: Disagreement): void => {
  say(`\npolicies  ${policies.join("\n          ")}\ninput     ${JSON.stringify(input)}\nlanyard   ${JSON.stringify(snapshot)}\ncedar     ${JSON.stringify(cedar)}`);
};

const compareAll = async (): Promise<JsonObject> => {
  const started = performance.now();
  const [dice, modules, size] = [new Dice(seed), await loadEvaluator(evaluatorUrl), 100];
  const counts = { policies: 0, requests: 0, evaluations: 0, held: 0, erred: 0, differences: 0, decisions: 0, disagreements: 0 };
  for (let batch = 0; counts.policies < wanted; batch += 1) {
    const made = makeBatch(dice, modules, size);
    const found = differencesIn(modules, made);
    counts.policies += size;
    counts.requests += made.questions.length;
    counts.evaluations += size * made.questions.length;
    for (const outcome of made.expected.flat()) {
      if (outcome === true) counts.held += 1;
      else if (outcome !== false) counts.erred += 1;
    }
    if (found.length > 0 && counts.differences < 3) {
      const smallest = shrink(modules, made);
      if (smallest !== null && !values.json) showDifference(smallest);
    }
    counts.differences += found.length;
    if (batch % 10 === 9) {
      const whole = compareDecisions(dice, { bundles: 5, policies: 12, inputs: 10 });
      counts.decisions += Object.values(whole.decisions).reduce((sum, one) => sum + one, 0);
      if (counts.disagreements === 0 && whole.found[0] !== undefined && !values.json) showDisagreement(whole.found[0]);
      counts.disagreements += whole.found.length;
    }
    progress(`${counts.policies} of ${wanted} policies, ${counts.differences + counts.disagreements} differences`);
  }
  progress("");
  const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
  if (counts.differences + counts.disagreements > 0) process.exitCode = 1;
  if (values.json) return { ...counts, seconds };
  say(`seed ${seed}: ${counts.policies} policies, ${counts.requests} requests, ${counts.evaluations} evaluations (${counts.held} held, ${counts.erred} erred), ${counts.differences} differences`);
  say(`${counts.decisions} whole decisions, ${counts.disagreements} differences; ${seconds} s`);
  return {};
};

const breakAll = async (): Promise<JsonObject> => {
  const report = await tryMutants(mutations, {
    seed,
    policies: Math.min(wanted, 20_000),
    tell: (done, { file, from, to }, fate) => {
      progress(`${done} of ${mutations.length} mutants`);
      if (fate === "survived" && !values.json) say(`survived: ${file}: \`${from}\` -> \`${to}\``);
    },
  });
  progress("");
  const rate = report.killed / mutations.length;
  if (rate < 0.9) process.exitCode = 1;
  if (!values.json) say(`${report.killed} of ${mutations.length} mutants killed (${(rate * 100).toFixed(1)} %)`);
  return { mutants: mutations.length, killed: report.killed, kill_rate: Number(rate.toFixed(3)), survivors: report.survivors.map((survivor) => ({ ...survivor })) };
};

if (values.help || !Number.isSafeInteger(seed) || !Number.isSafeInteger(wanted) || wanted < 1) {
  say(usage);
  process.exitCode = values.help ? 0 : 2;
} else {
  const found = { seed, ...(values.mutants ? {} : await compareAll()), ...(await breakAll()) };
  if (values.json) say(JSON.stringify(found));
}

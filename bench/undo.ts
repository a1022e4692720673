// Whether what undo says is so: `npm run bench -- undo [--json] [--seed N] [--sessions N]`. Agents act at random in real worlds, through a real daemon and real
// servers; others change the same worlds in between; then the session is taken back. Judged from outside, by complete digests of the worlds.
//
// restored_share           of reversible actions that changed something and that nobody came after: undo says restored, and the world says so too
// false_restored           undo says restored, and the world is not what it was
// overwritten_third_party  what somebody else did is gone
// session_200_s            undo of a session of 200 actions, in seconds: the slowest of all worlds
// raw_200_s                200 calls straight to the filesystem server, one after another, as a program would put files back that trusts return codes
import { spawn } from "node:child_process";
import { programs } from "../scripts/install.mjs";
import { Dice } from "../test/fuzz/dice.ts";
import { openWorlds } from "../test/kits/worlds.ts";
import { Rehearsal, type Rehearsed } from "../test/kits/rehearsal.ts";
import { FilesystemWorld } from "../test/kits/world-filesystem.ts";

const option = (name: string, fallback: number): number => (process.argv.includes(`--${name}`) ? Number(process.argv[process.argv.indexOf(`--${name}`) + 1]) : fallback);
const seed = option("seed", Math.floor(performance.timeOrigin) % 1_000_000);
const sessions = option("sessions", 12);
const only = process.argv.includes("--world") ? process.argv[process.argv.indexOf("--world") + 1] : undefined;
const round = (value: number): number => Math.round(value * 1000) / 1000;
const sum = (all: readonly Rehearsed[], pick: (one: Rehearsed) => number): number => all.reduce((total, one) => total + pick(one), 0);

/** 200 writes, one after another, at a server that is asked without Lanyard; in seconds. */
async function straight(servers: string): Promise<number> {
  await using world = new FilesystemWorld(servers);
  await world.reset();
  const child = spawn(process.execPath, [`${servers}/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js`, world.root], { stdio: ["pipe", "pipe", "ignore"] });
  let heard = "";
  let wake = (): void => {};
  child.stdout.on("data", (chunk: Buffer) => {
    heard += chunk.toString();
    wake();
  });
  const ask = async (id: number, method: string, params: object): Promise<void> => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    while (!heard.includes(`"id":${id}}`) && !heard.includes(`"id":${id},`)) await new Promise<void>((resume) => (wake = resume));
    heard = "";
  };
  await ask(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } });
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
  const began = performance.now();
  for (let id = 2; id < 202; id++) await ask(id, "tools/call", { name: "write_file", arguments: { path: `${world.root}/notes.md`, content: `back ${id}` } });
  child.kill();
  return (performance.now() - began) / 1000;
}

const servers = await programs("demo/servers");
const all: Rehearsed[] = [];
const long: Record<string, number> = {};
process.stderr.write(`seed ${seed}\n`);
for await (const world of openWorlds(servers)) {
  if (only !== undefined && world.name !== only) continue;
  await using rehearsal = await Rehearsal.open(world);
  const dice = new Dice(seed);
  for (let at = 0; at < sessions; at++) all.push(await rehearsal.session(dice, 10 + dice.below(30), dice.pick([0, 0, 10, 30])));
  const whole = await rehearsal.session(dice, 200, 0);
  long[world.name] = round(whole.seconds);
  all.push(whole);
}
const wrong = all.flatMap(({ world, falselyRestored, overwritten, left }) => [...falselyRestored.map((say) => `${world}: falsely restored: ${say}`), ...overwritten.map((say) => `${world}: overwritten: ${say}`), ...left.map((say) => `${world}: not restored: ${say}`)]);
for (const say of wrong.slice(0, 40)) process.stderr.write(`${say}\n`);
const names = Object.keys(long);
const result = {
  seed,
  restored_share: round(sum(all, ({ restored }) => restored) / Math.max(1, sum(all, ({ reversible }) => reversible))),
  false_restored: sum(all, ({ falselyRestored }) => falselyRestored.length),
  overwritten_third_party: sum(all, ({ overwritten }) => overwritten.length),
  session_200_s: Math.max(...Object.values(long)),
  raw_200_s: round(await straight(servers)),
  worlds: Object.fromEntries(
    names.map((name) => {
      const some = all.filter(({ world }) => world === name);
      const count = (pick: (one: Rehearsed) => number) => sum(some, pick);
      return [name, { sessions: some.length, actions: count((one) => one.actions), reversible: count((one) => one.reversible), restored: count((one) => one.restored), excused: count((one) => one.excused), declined: count((one) => one.declined), session_200_s: long[name] }];
    }),
  ),
};
process.stdout.write(process.argv.includes("--json") ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`);
if (result.restored_share < 0.99 || result.false_restored > 0 || result.overwritten_third_party > 0 || result.session_200_s > 10) process.exitCode = 1;

import { writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import { openSqlite } from "../../server/src/base/store/sqlite.ts";
import { verifyStore } from "../../server/src/base/store/verify.ts";
import { approveCatalog, callTool, DaemonProcess, until, World } from "../daemon.ts";
import { counter } from "./counter.ts";

// The daemon is killed with SIGKILL in the middle of its work, again and again, while 16 callers keep it busy.
// What must hold afterwards, over all its lives together:
//   no call that was answered is missing from the ledger (I2), no effect at the server lacks its intent (I1),
//   every intent that never got an outcome is on the list of open intents of the life that followed.

const kills = process.env["LANYARD_SOAK"] ? 200 : 50;
const callers = 16;

const world = new World({
  yaml: "",
  policies: { "all.cedar": '@id("all") @reason("Everything is allowed here.") permit (principal, action, resource);\n' },
});
afterAll(() => world[Symbol.dispose]());

test(`${kills} times SIGKILL under load: nothing acknowledged is lost, no effect without its intent, open intents listed`, { timeout: kills * 20_000 }, async () => {
  await using upstream = await counter();
  writeFileSync(
    world.config,
    `version: 1\nlisten: 127.0.0.1:0\ndata: ${world.data}\npolicies: policies\nteams: { t: {} }\nusers: { ben: {} }\nagents: { bot: { team: t, session_minutes: 480 } }\nservers: { c: { url: "${upstream.url}" } }\n`,
  );
  let token = "";
  let n = 0;
  const acknowledged: number[] = [];

  for (let life = 0; life <= kills; life++) {
    const daemon = await DaemonProcess.start(world);
    if (life === 0) {
      await approveCatalog(world.operator(), "c");
      ({ token } = await world.operator().call<{ token: string }>("session_open", { body: { agent: "bot", on_behalf_of: "ben", purpose: "torture" } }));
    }
    if (life === kills) {
      await daemon.stop();
      break;
    }
    const before = acknowledged.length;
    const stop = new AbortController();
    const caller = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const mine = n++;
        const answer = await callTool(daemon.url, token, "count", { n: mine }, stop.signal).catch(() => null);
        if (answer === null) return;
        if (answer.body.result && !answer.body.result.isError) acknowledged.push(mine);
      }
    };
    const load = Array.from({ length: callers }, caller);
    const enough = 10 + ((life * 37) % 70); // killed at ever different depths of its work
    await until(() => acknowledged.length >= before + enough, `life ${life} had answered ${enough} calls; log:\n${daemon.log}`);
    await daemon.kill();
    stop.abort();
    await Promise.all(load);
  }

  expect((await verifyStore(world.data)).findings).toEqual([]);
  await using store = await openSqlite({ folder: world.data, clock: systemClock, version: "test" });
  const intents = new Map<number, number>();
  for (let from = 0; from < store.size(); from += 10_000) {
    for (const record of store.entries({ from, to: from + 9_999, limit: 10_000, types: ["decision"] })) {
      if (record.type !== "decision" || !record.payload) continue;
      const opened = store.unseal(record.payload) as { value: { input: { args: { n: number } } } } | null;
      if (opened) intents.set(opened.value.input.args.n, record.seq);
    }
  }
  expect(acknowledged.filter((mine) => !intents.has(mine))).toEqual([]);
  expect(upstream.effects.filter((effect) => !intents.has(effect))).toEqual([]);
  expect(upstream.effects.length).toBe(new Set(upstream.effects).size);
  const open = [...intents.values()].filter((seq) => store.outcomeOf(seq) === null).sort((a, b) => a - b);
  // The entry that opens a life lists what is open then: the first 1,024 one by one, the rest by their number.
  const [opened] = store.entries({ types: ["ledger.open"], limit: 1, newest: true });
  expect(opened).toMatchObject({ open_intents: open.slice(0, 1024), more: Math.max(0, open.length - 1024) });
  expect(store.openIntents()).toEqual(open);
  console.log(`kills ${kills}, acknowledged ${acknowledged.length}, effects ${upstream.effects.length}, intents ${intents.size}, left open ${open.length}`);
});

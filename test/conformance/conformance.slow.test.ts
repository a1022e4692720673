import { describe, expect, it } from "vitest";
import { approveCatalog, DaemonProcess, World } from "../daemon.ts";
import { frontOf } from "./front.ts";
import { serveReference, type Eras } from "./serve.ts";
import { conformance, required, total, type Revision, type Score } from "./suite.ts";

/** The suite through a real daemon, whose policy allows everything and whose ledger records everything, to the reference server. */
async function throughDaemon(reference: string, revision: Revision): Promise<Score> {
  using world = new World({
    yaml: `teams: { t: {} }\nusers: { ana: {} }\nagents: { suite: { team: t } }\nservers: { reference: { url: "${reference}" } }\n`,
    policies: { "all.cedar": '@id("all") @reason("Everything goes.") permit (principal, action, resource);\n' },
  });
  await using daemon = await DaemonProcess.start(world);
  await approveCatalog(world.operator(), "reference");
  const { token } = await world.operator().call<{ token: string }>("session_open", { body: { agent: "suite", on_behalf_of: "ana", purpose: "conformance" } });
  await using front = await frontOf(daemon.url, token);
  return await conformance(`${front.url}/mcp`, revision); // awaited here, before the daemon is stopped
}

/** The same suite twice: straight at the reference server, and through Lanyard to it. */
async function both(eras: Eras, revision: Revision): Promise<{ raw: Score; through: Score }> {
  await using reference = await serveReference(eras);
  const raw = await conformance(reference.url, revision);
  const through = await throughDaemon(reference.url, revision);
  process.stdout.write(`conformance ${revision}: raw ${JSON.stringify(total(raw))}, through Lanyard ${JSON.stringify(total(through))}\n`);
  return { raw, through };
}

/** Required scenarios in which some check failed, or that did not run. */
const failing = (score: Score, revision: Revision): string[] => required(revision).filter((name) => score.get(name)?.failed !== 0);

const only = (score: Score, revision: Revision): object => Object.fromEntries(required(revision).map((name) => [name, score.get(name)]));

describe("the conformance suite through Lanyard equals the raw reference server", () => {
  // The suite has timers of its own, which on a busy machine fail the reference server too: then both are asked once more.
  it("2025-11-25: 84 of 84 checks", { retry: 1 }, async () => {
    const { raw, through } = await both("stateful", "2025-11-25");
    expect(total(raw)).toEqual({ passed: 84, failed: 0 });
    expect(Object.fromEntries(through)).toEqual(Object.fromEntries(raw));
  });

  it("2026-07-28: all 37 required scenarios, check by check", async () => {
    const { raw, through } = await both("stateless", "2026-07-28");
    expect(required("2026-07-28")).toHaveLength(37);
    expect(failing(raw, "2026-07-28")).toEqual([]);
    expect(only(through, "2026-07-28")).toEqual(only(raw, "2026-07-28"));
    // Beyond them the suite calls tools of extensions that the reference server lacks: a refusal passes some checks that its error does not.
    expect(total(through).passed).toBeGreaterThanOrEqual(total(raw).passed);
  });

  it("2025-11-25 in front of a server that speaks only 2026-07-28: every required check", async () => {
    await using reference = await serveReference("stateless");
    const through = await throughDaemon(reference.url, "2025-11-25");
    expect(failing(through, "2025-11-25")).toEqual([]);
    // What a raw stateful server scores on them: the translation between the lifecycles loses nothing.
    expect(total(through, required("2025-11-25"))).toEqual({ passed: 70, failed: 0 });
  });
});

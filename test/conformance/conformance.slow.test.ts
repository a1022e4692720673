import { describe, expect, it } from "vitest";
import { stand } from "../gateway/stand.ts";
import { serveReference, type Eras } from "./serve.ts";
import { conformance, required, total, type Revision, type Score } from "./suite.ts";

/** The same suite twice: straight at the reference server, and through the gateway to it. */
async function both(eras: Eras, revision: Revision): Promise<{ raw: Score; through: Score }> {
  await using reference = await serveReference(eras);
  await using gateway = await stand({ servers: [{ name: "reference", url: reference.url, headers: () => ({}) }], open: true });
  const raw = await conformance(reference.url, revision);
  const through = await conformance(`${gateway.url}/mcp`, revision);
  console.log(`${revision}, ${eras} server: raw ${JSON.stringify(total(raw))}, through the gateway ${JSON.stringify(total(through))}`);
  return { raw, through };
}

/** Scenarios in which some required check failed, or that did not run. */
const failing = (score: Score, revision: Revision): string[] => required(revision).filter((name) => score.get(name)?.failed !== 0);

describe("the conformance suite through the gateway equals the raw reference server", () => {
  it("2025-11-25: 84 of 84 checks", async () => {
    const { raw, through } = await both("stateful", "2025-11-25");
    expect(total(raw)).toEqual({ passed: 84, failed: 0 });
    expect(through).toEqual(raw);
  });

  it("2026-07-28: all 37 required scenarios, and every other check alike", async () => {
    const { raw, through } = await both("stateless", "2026-07-28");
    expect(required("2026-07-28")).toHaveLength(37);
    expect(failing(raw, "2026-07-28")).toEqual([]);
    expect(through).toEqual(raw);
  });

  it("2025-11-25 in front of a server that speaks only 2026-07-28: every required check", async () => {
    await using reference = await serveReference("stateless");
    await using gateway = await stand({ servers: [{ name: "reference", url: reference.url, headers: () => ({}) }], open: true });
    const through = await conformance(`${gateway.url}/mcp`, "2025-11-25");
    expect(failing(through, "2025-11-25")).toEqual([]);
    // What a raw stateful server scores on them: the translation between the lifecycles loses nothing.
    expect(total(through, required("2025-11-25"))).toEqual({ passed: 70, failed: 0 });
  });
});

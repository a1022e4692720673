import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { stillClock, type StillClock } from "../../../../../test/kits/clock.ts";
import { chooseDriver, driverNames, forgetChoice, tried, waysOf, type ChoiceOptions, type DriverName } from "./choice.ts";
import type { SandboxDriver } from "./driver.ts";

let folder: string;
let clock: StillClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lanyard-choice-"));
  clock = stillClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

const own = (): ChoiceOptions => ({ clock, home: join(folder, "home"), cache: join(folder, "cache") });
const labels = ["microvm (Firecracker)", "microvm (KVM)", "gvisor", "microvm (emulated)", "process"];

/** A machine on which these ways work, and what was asked of it. The drivers are the real ones but for what they find out. */
function machine(works: readonly string[]): { options: ChoiceOptions; probed: string[] } {
  forgetChoice(own());
  const probed: string[] = [];
  const ways = waysOf(own()).map(({ label, driver }) => {
    const probe = async () => (probed.push(label), works.includes(label) ? null : `${label} is not here`);
    return { label, driver: { ...driver, probe, name: driver.name, tier: driver.tier } satisfies SandboxDriver };
  });
  return { options: { ...own(), ways }, probed };
}
const tierOf = async (options: ChoiceOptions, wanted?: DriverName): Promise<string> => {
  const { name, tier } = await chooseDriver(options, wanted);
  return `${name}, ${tier}`;
};

test("the ways are tried in the order of decision 0022, each with the tier that it is worth", () => {
  expect(waysOf(own()).map(({ label, driver }) => [label, driver.tier])).toEqual([
    ["microvm (Firecracker)", "hardware-vm"],
    ["microvm (KVM)", "hardware-vm"],
    ["gvisor", "user-kernel"],
    ["microvm (emulated)", "emulated-vm"],
    ["process", "namespace"],
  ]);
});

describe("which is taken", () => {
  test.each([
    [labels, "microvm, hardware-vm", ["microvm (Firecracker)"]],
    [labels.slice(1), "microvm, hardware-vm", labels.slice(0, 2)],
    [labels.slice(2), "gvisor, user-kernel", labels.slice(0, 3)],
    [labels.slice(3), "microvm, emulated-vm", labels.slice(0, 4)],
    [["process"], "process, namespace", labels],
    [["gvisor", "process"], "gvisor, user-kernel", labels.slice(0, 3)],
  ])("where %j work: %s, and nothing weaker is so much as tried", async (works, taken, looked) => {
    const { options, probed } = machine(works);
    expect(await tierOf(options)).toBe(taken);
    expect(probed).toEqual(looked);
  });

  test("none works: refused, with the reason of each; never without a sandbox", async () => {
    const { options } = machine([]);
    await expect(chooseDriver(options)).rejects.toMatchObject({ code: "isolation_unavailable", message: expect.stringMatching(new RegExp(labels.map((label) => `${label}: ${label} is not here`).join(".*").replace(/[()]/g, "\\$&"))) });
  });

  test("one that is named is the strongest of that name, or none; nothing else is taken in its place, weaker or stronger", async () => {
    expect(await tierOf(machine(labels.slice(3)).options, "microvm")).toBe("microvm, emulated-vm");
    expect(await tierOf(machine(labels).options, "process")).toBe("process, namespace");
    for (const [wanted, works] of [["microvm", ["gvisor", "process"]], ["gvisor", ["microvm (KVM)", "microvm (emulated)", "process"]], ["process", labels.slice(0, 4)]] as const) {
      const { options, probed } = machine(works);
      await expect(chooseDriver(options, wanted)).rejects.toMatchObject({ code: "isolation_unavailable", message: expect.stringContaining(`of the driver \`${wanted}\``) });
      expect(probed.every((label) => label.startsWith(wanted))).toBe(true);
    }
  });

  test("no sandbox at all is had by name only, and asks nobody", async () => {
    const { options, probed } = machine(labels);
    expect(await tierOf(options, "none")).toBe("none, none");
    expect(probed).toEqual([]);
    expect(waysOf(own()).map(({ driver }) => driver.name)).not.toContain("none");
    expect(driverNames).toContain("none");
  });
});

describe("what was found out", () => {
  test("is kept for a day, good and bad, and not longer; nor once it is forgotten", async () => {
    const { options, probed } = machine(["gvisor"]);
    const look = async (): Promise<string[]> => (probed.splice(0), await chooseDriver(options), [...probed]);
    expect(await look()).toEqual(labels.slice(0, 3));
    expect(await look()).toEqual([]);
    await clock.advance(24 * 3_600_000 - 1);
    expect(await look()).toEqual([]);
    await clock.advance(1);
    expect(await look()).toEqual(labels.slice(0, 3));
    forgetChoice(options);
    expect(await look()).toEqual(labels.slice(0, 3));
  });

  test("is of one guest agent: another one is tried anew", async () => {
    const { options, probed } = machine(["gvisor"]);
    await chooseDriver(options);
    probed.splice(0);
    await chooseDriver({ ...options, agent: "/another" });
    expect(probed).toEqual(labels.slice(0, 3));
  });

  test("a file that is gone counts for nothing, and a cache that cannot be written stops nobody", async () => {
    const { options, probed } = machine(["process"]);
    await chooseDriver(options);
    const [name = ""] = readdirSync(join(folder, "cache/lanyard"));
    expect(name).toBe("drivers.json");
    rmSync(join(folder, "cache"), { recursive: true });
    writeFileSync(join(folder, "file"), "");
    expect(await tierOf({ ...options, cache: join(folder, "file") })).toBe("process, namespace");
    expect(probed).toEqual([...labels, ...labels]);
  });

  test("each is told before it is looked for, once; what is known is told by nobody", async () => {
    const told: string[] = [];
    const { options } = machine(["gvisor"]);
    const looking = (label: string) => void told.push(label);
    for (let n = 0; n < 2; n++) for await (const { label, lacking } of tried({ ...options, looking })) expect(lacking === null).toBe(label === "gvisor");
    expect(told).toEqual(labels);
  });
});

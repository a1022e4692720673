import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../server/src/base/clock.ts";
import { SessionAuthority } from "../../server/src/edge/gateway/egress/authority.ts";
import { ambient, DaemonProcess, program, World } from "../daemon.ts";
import { SandboxGround, textOf } from "../kits/sandbox.ts";

// Two network namespaces: one is the machine that Lanyard runs on, the other is everything outside of it. Nothing here can reach a real network.
const inside = "lyd-exf-in";
const outside = "lyd-exf-out";
const addresses = ["10.99.0.53/24", "10.99.0.9/32", "169.254.169.254/32", "203.0.113.10/32", "198.51.100.10/32", "2001:db8:99::10/64", "fd00:ec2::254/128"];
const hex = (address: string): string => address.split(".").map((part) => Number(part).toString(16).padStart(2, "0")).join("");
const [good, evil, secret, meta] = ["203.0.113.10", "198.51.100.10", "10.99.0.9", "169.254.169.254"].map(hex);
const table = {
  "good.test": { A: [good] },
  "evil.test": { A: [evil] },
  "*.evil.test": { A: [evil] },
  "internal.good.test": { A: [secret] },
  "meta.good.test": { A: [meta] },
  "both.good.test": { A: [good, secret] },
  "rebind.good.test": { A: [[good], [secret]] },
  "mapped.good.test": { AAAA: [`00000000000000000000ffff${secret}`] },
  "nat64.good.test": { AAAA: [`0064ff9b0000000000000000${secret}`] },
  "meta6.good.test": { AAAA: ["fd000ec2000000000000000000000254"] },
};

const yaml = `
teams: { research: {} }
users: { ana: {} }
agents: { scout: { team: research } }
egress: { ca: outside.pem }
limits: { egress_body_bytes: 200000 }
`;
const policies = {
  "web.cedar": `
@id("org.good") @reason("The good host may be read.")
permit (principal, action in [Action::"web/GET", Action::"web/HEAD"], resource == Host::"good.test")
when { [80, 443].contains(context.input.port) && !(context.input.path like "/internal*") };
@id("org.trap") @reason("Permitted, so that only the address stands in the way.")
permit (principal, action == Action::"web/GET", resource)
when { context.input.host like "*.good.test" || ["10.99.0.9", "169.254.169.254", "127.0.0.1"].contains(context.input.host) };`,
};

interface Tried {
  readonly way: string;
  readonly by: string;
  readonly got: string;
}
interface Hit {
  readonly at?: string;
  readonly port?: number;
  readonly line: string;
}

const ground = new SandboxGround();
const rootless = process.geteuid?.() === 0 ? null : "namespaces of the network can be made by root only";
const drivers = Object.entries(ground.drivers).filter(([name]) => name !== "none");
const folder = mkdtempSync(join(tmpdir(), "lanyard-exfiltration-"));
const hitsFile = join(folder, "hits");
const script = join(import.meta.dirname, "exfiltration/ways.py");
let world: World;
let daemon: DaemonProcess;
let standIn: ChildProcess;

const ip = (...args: string[]): void => {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
};
const within = (name: string, ...argv: string[]): string[] => ["ip", "netns", "exec", name, ...argv];

function buildNetwork(): void {
  for (const name of [inside, outside]) {
    ip("netns", "add", name);
    ip("-n", name, "link", "set", "lo", "up");
  }
  ip("link", "add", "lyd-exf0", "type", "veth", "peer", "name", "lyd-exf1");
  for (const [link, name] of [["lyd-exf0", inside], ["lyd-exf1", outside]] as const) {
    ip("link", "set", link, "netns", name);
    ip("-n", name, "link", "set", link, "up");
  }
  for (const address of ["10.99.0.1/24", "2001:db8:99::1/64"]) ip("-n", inside, "addr", "add", address, "dev", "lyd-exf0", ...(address.includes("::") ? ["nodad"] : []));
  for (const address of addresses) ip("-n", outside, "addr", "add", address, "dev", "lyd-exf1", ...(address.includes("::") ? ["nodad"] : []));
  ip("-n", inside, "route", "add", "default", "via", "10.99.0.53");
  ip("-n", inside, "-6", "route", "add", "default", "via", "2001:db8:99::10");
  mkdirSync(join("/etc/netns", inside), { recursive: true });
  writeFileSync(join("/etc/netns", inside, "resolv.conf"), "nameserver 10.99.0.53\n");
}

function removeNetwork(): void {
  for (const name of [inside, outside]) spawnSync("ip", ["netns", "del", name]);
  rmSync(join("/etc/netns", inside), { recursive: true, force: true });
  spawnSync("rmdir", ["/etc/netns"]); // stays when another has something there
}

async function ran(argv: readonly string[], cwd = folder): Promise<{ code: number | null; out: string; err: string }> {
  const [command = "", ...args] = argv;
  const env = { ...ambient, PATH: `/usr/bin:/bin:/usr/sbin:${process.env["PATH"]}`, HOME: process.env["HOME"], LANYARD_HOME: join(folder, "home"), LANYARD_LOG: "error" };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const code = new Promise<number | null>((done) => child.once("close", done));
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  return { code: await code, out, err };
}

const tried = (out: string): Tried[] => out.trim().split("\n").map((line) => JSON.parse(line) as Tried);
const hits = (): Hit[] => readFileSync(hitsFile, "utf8").trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Hit);

beforeAll(async () => {
  if (rootless) return void process.stderr.write(`\n  SKIPPED: the exfiltration suite: ${rootless}\n\n`);
  removeNetwork();
  buildNetwork();
  mkdirSync(join(folder, "home"));
  mkdirSync(join(folder, "work"));
  copyFileSync(script, join(folder, "work", "ways.py"));
  const authority = await SessionAuthority.create({ clock: systemClock, session: "outside", secret: systemClock.random(32), untilMs: Date.now() + 3_600_000, hosts: 8 });
  const material = Object.fromEntries(await Promise.all(["good.test", "evil.test"].map(async (name) => [name, await authority.materialFor(name)] as const)));
  writeFileSync(join(folder, "material.json"), JSON.stringify(material));
  writeFileSync(join(folder, "table.json"), JSON.stringify(table));
  writeFileSync(hitsFile, "");
  const [command = "", ...args] = within(outside, process.execPath, join(import.meta.dirname, "exfiltration/outside.mjs"), "--hits", hitsFile, "--material", join(folder, "material.json"), "--table", join(folder, "table.json"));
  standIn = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((done) => standIn.stdout?.once("data", done));
  world = new World({ yaml, policies });
  writeFileSync(join(world.folder, "outside.pem"), authority.pem);
  daemon = await DaemonProcess.start(world, { HOME: process.env["HOME"] ?? "" }, within(inside));
}, 60_000);

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  world?.[Symbol.dispose]();
  standIn?.kill("SIGKILL");
  if (!rootless) removeNetwork();
  rmSync(folder, { recursive: true, force: true });
  ground[Symbol.dispose]();
});

const port = (): string => new URL(daemon.url).port;

describe.skipIf(rootless !== null)("ways out", () => {
  let ways: Tried[] = [];

  it("each target answers where there is no sandbox", async () => {
    const { out, err } = await ran(within(inside, "/usr/bin/python3", script, "control", port()));
    ways = tried(out);
    expect(ways.filter(({ got }) => !got.includes("REACHED")), err).toEqual([]);
    expect(ways.length).toBeGreaterThanOrEqual(40);
  });

  it.each(drivers)("none is one from a sandbox of the driver %s, and Lanyard has each on record that reached it", async (driver, { probe, tier }) => {
    const emulated = tier === "emulated-vm";
    const lacking = await probe();
    if (lacking) return void process.stderr.write(`\n  SKIPPED: the exfiltration suite for the driver \`${driver}\`: ${lacking}\n\n`);
    writeFileSync(hitsFile, "");
    const who = ["--agent", "scout", "--on-behalf-of", "ana", "--purpose", "get out"];
    const { out, err } = await ran(within(inside, process.execPath, program, "--config", world.config, "run", "--isolation", driver, "--workspace", join(folder, "work"), ...who, "--", "/usr/bin/python3", "ways.py", "attack", port(), ...(emulated ? ["without-programs"] : [])));
    expect(out, err).not.toBe("");
    const attacks = tried(out);
    const programs = ["curl past the proxy", "git past the proxy", "git", "npm", "pip", "curl"];
    expect(attacks.map(({ way }) => way), err).toEqual(ways.flatMap(({ way }) => (emulated && programs.includes(way) ? [] : [way])));
    expect(attacks.filter(({ got }) => got.includes("REACHED"))).toEqual([]);

    // What the world outside heard: the good host's permitted paths, and questions for names that policy had permitted by then.
    const heard = hits();
    expect(heard.filter(({ at, line }) => !line.startsWith("dns ") && !(at === "203.0.113.10" && /^(GET|HEAD) \/(\?to=|$)/.test(line)))).toEqual([]);
    expect(heard.filter(({ line }) => line.includes("evil.test") && line.startsWith("dns "))).toEqual([]);

    const rows: { type: string; session?: string; effect?: string; by?: string; code?: string; fault?: string; times?: number; of?: number; seq: number }[] = [];
    for await (const row of world.operator().lines<(typeof rows)[number]>("log", { query: { limit: "5000" } })) rows.push(row);
    const session = rows.findLast(({ type }) => type === "session.open")?.session;
    const own = new Set(rows.filter((row) => row.session === session).map(({ seq }) => seq));
    const count = (by: string): number => attacks.filter((each) => each.by === by).length;
    expect(rows.filter(({ type, seq, effect, by }) => type === "decision" && own.has(seq) && effect === "deny" && by === "policy").length).toBeGreaterThanOrEqual(count("policy"));
    expect(rows.filter(({ type, of, code }) => type === "outcome" && own.has(of ?? -1) && code === "address_refused").length).toBeGreaterThanOrEqual(count("address"));
    for (const by of new Set(attacks.flatMap((each) => (each.by.startsWith("door ") ? [each.by] : [])))) {
      const seen = rows.filter(({ type, seq, fault }) => type === "egress.refuse" && own.has(seq) && fault === by.slice(5)).reduce((sum, { times = 0 }) => sum + times, 0);
      expect(seen, by).toBeGreaterThanOrEqual(count(by));
    }
  }, 240_000);
});

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, fchownSync, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { cpus } from "node:os";
import type { Readable } from "node:stream";
import { Fault } from "@lanyard/contract";
import type { Clock } from "../../../../base/clock.ts";
import { http } from "../../../../base/http.ts";
import { systemProgram } from "../bubblewrap.ts";
import { killTree } from "../orphans.ts";
import { treeOf } from "../usage.ts";
import type { Hypervisor, Machine, MachinePlan } from "./hypervisor.ts";
import { filtered, jail, jailedId } from "./jail.ts";

/** Descriptors of Firecracker. A snapshot remembers the paths of its disks, so each has its number for good. */
const fds = { system: 3, readable: 4, state: 5, memory: 6, kernel: 7, initrd: 8 } as const;
const inJail = (fd: number): string => `/proc/self/fd/${fd}`;
/** In the jail's own /tmp; we reach it through the process's view of its files. */
const sockets = { api: "/tmp/api.sock", agent: "/tmp/agent.sock" } as const;
/** Where vm.c listens, and the machine's address; any will do, each machine has its own host. */
const [agentPort, guestCid] = [1024, 3];
const [bootMs, retryMs, maxAnswerBytes] = [5000, 5, 64 * 1024];
const kernelArguments = "console=ttyS0 quiet reboot=k panic=-1 i8042.noaux i8042.nomux i8042.dumbkbd random.trust_cpu=on cryptomgr.notests";

/**
 * Firecracker (1.8 or newer, which describes its devices by ACPI), written against its documented API. It needs KVM. Its guest is reached over
 * vsock, which only works while somebody inside listens; a copy's agent does so again as soon as it notices that its template's host is gone.
 */
export const firecracker = (clock: Clock): Hypervisor => ({
  tier: "hardware-vm",
  bootMs,
  copies: false,
  identity: (memoryMib) => JSON.stringify([spawnSync(program(), ["--version"], { encoding: "utf8" }).stdout, kernelArguments, memoryMib, cpus()[0]?.model]),
  launch: (plan) => launch(plan, clock),
});

async function launch(plan: MachinePlan, clock: Clock): Promise<Machine> {
  if (!existsSync("/dev/kvm")) throw new Fault("isolation_unavailable", "Firecracker needs KVM, and this machine has no /dev/kvm");
  const process = start(plan);
  try {
    const api = await reached(process, clock);
    const { begin, memoryMib } = plan;
    if (begin.kind === "restore") {
      await api("PUT", "/snapshot/load", { snapshot_path: inJail(fds.state), mem_backend: { backend_type: "File", backend_path: inJail(fds.memory) }, resume_vm: true });
    } else {
      await api("PUT", "/machine-config", { vcpu_count: 1, mem_size_mib: memoryMib });
      await api("PUT", "/boot-source", { kernel_image_path: inJail(fds.kernel), initrd_path: inJail(fds.initrd), boot_args: kernelArguments });
      for (const id of ["system", "readable"] as const) await api("PUT", `/drives/${id}`, { drive_id: id, path_on_host: inJail(fds[id]), is_root_device: false, is_read_only: true });
      await api("PUT", "/vsock", { guest_cid: guestCid, uds_path: sockets.agent });
      await api("PUT", "/entropy", {});
      await api("PUT", "/actions", { action_type: "InstanceStart" });
    }
    const change = (state: "Paused" | "Resumed") => api("PATCH", "/vm", { state });
    const save = async () => {
      await change("Paused");
      await api("PUT", "/snapshot/create", { snapshot_type: "Full", snapshot_path: inJail(fds.state), mem_file_path: inJail(fds.memory) });
    };
    return { process, channel: await agentOf(process, clock), pause: () => change("Paused"), resume: () => change("Resumed"), save };
  } catch (error) {
    if (process.pid !== undefined) killTree(process.pid);
    throw error;
  }
}

function start({ system, readable, saved, memoryMib, begin, around }: MachinePlan): ChildProcess {
  const isRestored = begin.kind === "restore";
  const paths = isRestored ? [system, readable, begin.state, begin.memory] : [system, readable, saved, begin.memory, begin.kernel, begin.initrd];
  const jailed = [...jail({ devices: ["/dev/kvm"], fileBytes: 2 * memoryMib * 1024 * 1024, filter: fds.system + paths.length }), program(), "--api-sock", sockets.api];
  const [command = "", ...args] = around?.(jailed) ?? jailed;
  const opened = paths.map((path, at) => (path === null ? "ignore" as const : openSync(path, !isRestored && at === fds.state - fds.system ? "a+" : "r", 0o600)));
  try {
    // It opens them anew by their descriptors, and may write only what is its user's.
    const state = opened[fds.state - fds.system];
    if (!isRestored && typeof state === "number" && process.geteuid?.() === 0) fchownSync(state, jailedId, jailedId);
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe", ...opened, "pipe"], env: {}, cwd: "/", detached: true });
    filtered(child);
    child.stdout?.resume(); // The machine's console: whatever a guest writes there is nobody's business.
    return child;
  } finally {
    for (const fd of opened) if (typeof fd === "number") closeSync(fd);
  }
}

type Api = (method: "PUT" | "PATCH", path: string, body: object) => Promise<void>;

/** The API, once Firecracker listens. Throws Fault `isolation_unavailable`. */
async function reached(process: ChildProcess, clock: Clock): Promise<Api> {
  return patiently(process, clock, async () => {
    const socketPath = pathOf(process, sockets.api);
    if (!existsSync(socketPath)) return null;
    return (method, path, body) => ask(socketPath, method, path, JSON.stringify(body));
  });
}

function ask(socketPath: string, method: string, path: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = http.request({ socketPath, method, path, headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) } }, (answer) => {
      let said = "";
      answer.on("data", (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(0, maxAnswerBytes)));
      answer.once("error", reject).once("end", () => {
        if (answer.statusCode === 204 || answer.statusCode === 200) resolve();
        else reject(new Fault("isolation_unavailable", `Firecracker refused ${path}: ${said.slice(0, 300)}`));
      });
    });
    asked.once("error", (cause) => reject(new Fault("isolation_unavailable", `Firecracker did not answer ${path}: ${cause.message}`, { cause })));
    asked.end(body);
  });
}

/** A connection to the agent: `CONNECT port`, and from `OK` on it is the agent's. */
const agentOf = (process: ChildProcess, clock: Clock): Promise<Socket> =>
  patiently(process, clock, async () => {
    const socket = connect(pathOf(process, sockets.agent));
    const answer = await new Promise<string>((resolve) => {
      socket.once("readable", () => resolve(line(socket))).once("error", () => resolve("")).once("close", () => resolve(""));
      socket.write(`CONNECT ${agentPort}\n`);
    });
    if (answer.startsWith("OK ")) return socket;
    socket.destroy();
    return null;
  });

/** Byte by byte, since what follows is not ours to read. */
function line(socket: Readable): string {
  let text = "";
  for (let byte = socket.read(1) as Buffer | null; byte && text.length < 64; byte = socket.read(1) as Buffer | null) {
    if (byte[0] === 10) return text;
    text += byte.toString("latin1");
  }
  return "";
}

async function patiently<T>(process: ChildProcess, clock: Clock, attempt: () => Promise<T | null>): Promise<T> {
  for (let waited = 0; waited < bootMs; waited += retryMs) {
    const result = await attempt();
    if (result !== null) return result;
    if (process.exitCode !== null || process.signalCode !== null) break;
    await clock.pause(retryMs);
  }
  throw new Fault("isolation_unavailable", "Firecracker's machine did not come up");
}

/** A file of the jail, as seen from here: bubblewrap's last child is Firecracker. */
const pathOf = ({ pid = -1 }: ChildProcess, path: string): string => `/proc/${treeOf(pid).at(-1)?.pid ?? pid}/root${path}`;

function program(): string {
  const path = systemProgram("firecracker");
  if (!path) throw new Fault("isolation_unavailable", "Firecracker is not installed; its releases are at https://github.com/firecracker-microvm/firecracker, the program goes to /usr/local/bin");
  return path;
}

import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import type { Duplex } from "node:stream";
import { Fault, isObject } from "@lanyard/contract";
import { systemProgram } from "../bubblewrap.ts";
import type { Hypervisor, Machine, MachinePlan } from "./hypervisor.ts";
import { killTree } from "../orphans.ts";
import { filtered, jail } from "./jail.ts";
import { Qmp } from "./qmp.ts";

export type Acceleration = "kvm" | "tcg";

/** Descriptors of QEMU: two channels, the file that its state is saved to, then others. */
const fds = { agent: 3, control: 4, saved: 5, files: 6 } as const;
/** QEMU's own number for the set of descriptors that holds `saved` alone. */
const savedSet = 1;
const inJail = (fd: number): string => `/proc/self/fd/${fd}`;
/** Translated code that an emulated machine keeps, MiB. */
const translatedMib = 64;

/**
 * QEMU's smallest machine, without PCI, without a network card. By itself an emulator is no boundary that its makers vouch for, so it is
 * jailed, and the tier says `emulated-vm`; with KVM the processor is the boundary.
 */
export const qemu = (acceleration: Acceleration): Hypervisor => ({
  tier: acceleration === "kvm" ? "hardware-vm" : "emulated-vm",
  bootMs: acceleration === "kvm" ? 5000 : 120_000,
  copies: true,
  identity: (memoryMib) => JSON.stringify([versionOf(program()), machineArguments(acceleration, memoryMib), kernelArguments(acceleration), cpus()[0]?.model]),
  launch: (plan) => launch(acceleration, plan),
});

/** Memory that is a template's file stays in that file. */
const withoutMemory = { capabilities: ["x-ignore-shared", "events"].map((capability) => ({ capability, state: true })) };

function launch(acceleration: Acceleration, plan: MachinePlan): Machine {
  const { begin } = plan;
  const files: { path: string; flags: "r" | "r+" }[] = [];
  const file = (path: string, flags: "r" | "r+" = "r") => inJail(fds.files + files.push({ path, flags }) - 1);
  const disk = (id: string, path: string) => ["-drive", `id=${id},file=${file(path)},format=raw,if=none,readonly=on,cache=unsafe,file.locking=off`, "-device", `virtio-blk-device,drive=${id}`];
  const args = [
    ...machineArguments(acceleration, plan.memoryMib),
    ...["-object", memoryArgument(plan, file)],
    ...["-chardev", `socket,id=ctl,fd=${fds.control}`, "-mon", "chardev=ctl,mode=control", "-chardev", `socket,id=ag,fd=${fds.agent}`],
    ...["-add-fd", `fd=${fds.saved},set=${savedSet}`, "-device", "virtio-serial-device,max_ports=2", "-device", "virtserialport,chardev=ag,name=agent"],
    ...disk("system", plan.system),
    ...disk("readable", plan.readable),
    ...(begin.kind === "boot"
      ? ["-kernel", file(begin.kernel), "-initrd", file(begin.initrd), "-append", kernelArguments(acceleration)]
      : ["-incoming", "defer"]),
  ];
  const stateFd = begin.kind === "restore" ? fds.files + files.push({ path: begin.state, flags: "r" }) - 1 : null;
  if (acceleration === "kvm" && !existsSync("/dev/kvm")) throw new Fault("isolation_unavailable", "this machine has no /dev/kvm");
  const jailed = jail({ devices: acceleration === "kvm" ? ["/dev/kvm"] : [], fileBytes: 2 * plan.memoryMib * 1024 * 1024, filter: fds.files + files.length });
  const [command = "", ...before] = plan.around?.(jailed) ?? jailed;
  const opened = [openSync(plan.saved, "a", 0o600), ...files.map(({ path, flags }) => openSync(path, flags))]; // Appending, so that saving again begins where the file was cut.
  try {
    const child = spawn(command, [...before, program(), ...args], { stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", ...opened, "pipe"], env: {}, cwd: "/", detached: true });
    filtered(child);
    child.stdout?.resume(); // The machine's console: whatever a guest writes there is nobody's business.
    const socket = (fd: number): Duplex => child.stdio[fd] as unknown as Duplex; // A `pipe` of Node is a pair of sockets.
    const control = new Qmp(socket(fds.control));
    if (stateFd !== null) wake(control, stateFd).catch(() => child.pid !== undefined && killTree(child.pid));
    return controlled(child, socket(fds.agent), control);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Nobody need wait: whether the machine woke is heard from its agent, and if not, from its end. */
async function wake(control: Qmp, stateFd: number): Promise<void> {
  const carried = ended(control);
  await Promise.all([
    control.execute("migrate-set-capabilities", withoutMemory),
    control.execute("migrate-incoming", { uri: `file:${inJail(stateFd)}` }),
    carried.then(() => control.execute("cont")),
  ]);
}

/** Resolves when the machine's state was carried over. Throws Fault `sandbox_ended`. */
async function ended(control: Qmp): Promise<void> {
  const data = await control.event("MIGRATION", (it) => isObject(it) && (it["status"] === "completed" || it["status"] === "failed"));
  if (isObject(data) && data["status"] === "failed") throw new Fault("sandbox_ended", "QEMU could not save or wake the machine");
}

function controlled(process: Machine["process"], channel: Duplex, control: Qmp): Machine {
  const save = async (): Promise<void> => {
    await control.execute("stop");
    await control.execute("migrate-set-capabilities", withoutMemory);
    await control.execute("migrate-set-parameters", { "max-bandwidth": 0 });
    const over = ended(control);
    over.catch(() => {}); // awaited below
    await control.execute("migrate", { uri: `file:/dev/fdset/${savedSet}` });
    await over;
  };
  return { process, channel, save, pause: async () => void (await control.execute("stop")), resume: async () => void (await control.execute("cont")) };
}

/** A template's file is read only, and what a machine writes is its own. */
function memoryArgument({ memoryMib, begin }: MachinePlan, file: (path: string, flags?: "r" | "r+") => string): string {
  const common = `id=m0,size=${memoryMib}M`;
  if (begin.memory === null) return `memory-backend-ram,${common}`;
  const how = begin.kind === "restore" ? "share=off,readonly=on,rom=off" : "share=on";
  return `memory-backend-file,${common},mem-path=${file(begin.memory, begin.kind === "restore" ? "r" : "r+")},${how}`;
}

/**
 * Without the old interrupt controller, which a kernel told of its hardware by ACPI alone never sets up: a tick of the timer that comes before the kernel has masked it is
 * taken for a division by zero, and on quick hosts one always does. The timer itself stays, since clocks are measured by it.
 */
const machineArguments = (acceleration: Acceleration, memoryMib: number): string[] => [
  ...["-M", "microvm,acpi=on,pic=off,pit=on,rtc=on,auto-kernel-cmdline=on,isa-serial=on,memory-backend=m0", "-m", String(memoryMib), "-smp", "1"],
  ...(acceleration === "kvm" ? ["-accel", "kvm", "-cpu", "host"] : ["-accel", `tcg,thread=single,tb-size=${translatedMib}`, "-cpu", "max"]),
  ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
  ...["-chardev", "stdio,id=con,signal=off", "-serial", "chardev:con", "-global", "virtio-mmio.force-legacy=false", "-device", "virtio-rng-device"],
];

/** Steps of a boot that make ready what nobody in there may use: tracing, programs within the kernel, statistics of its allocator; and tests of itself. An emulated processor takes a quarter of a second for them. */
const unused = [
  ...["trace_eval_init", "tracer_init_tracefs", "cubictcp_register", "kfunc_init", "bpf_prog_test_run_init", "bpf_rstat_kfunc_init", "bpf_key_sig_kfuncs_init", "bpf_tcp_ca_kfunc_init"],
  ...["crypto_kdf108_init", "load_system_certificate_list", "slab_sysfs_init"],
];

/** Security modules that nobody gave a policy to refuse nothing, and each is asked at every file; two that need none stay: what a program does to itself, and tracing. */
const kernelArguments = (acceleration: Acceleration): string =>
  ["console=ttyS0 quiet reboot=t panic=-1 mitigations=off lsm=landlock,yama audit=0 random.trust_cpu=on 8250.nr_uarts=1 cryptomgr.notests rcupdate.rcu_expedited=1 init_on_alloc=0 nowatchdog psi=0 noautogroup", `initcall_blacklist=${unused.join(",")}`, ...(acceleration === "tcg" ? emulatedClock() : [])].join(" ");

/** An emulated machine has the host's time stamp counter, and need not measure what is known: in a virtual host the processor's speed is the counter's. */
function emulatedClock(): string[] {
  const text = readFileSync("/proc/cpuinfo", "latin1");
  const khz = Math.round(Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(text)?.[1]) * 1000);
  return ["no_timer_check tsc=reliable", ...(/^flags\s*:.*\bhypervisor\b/m.test(text) && khz > 0 ? [`lpj=${khz * 2}`, `tsc_early_khz=${khz}`] : [])];
}

function program(): string {
  const path = systemProgram("qemu-system-x86_64");
  if (!path) throw new Fault("isolation_unavailable", "QEMU is not installed; `npm run isolation` installs it, or `apt install qemu-system-x86` (Debian 12: from bookworm-backports)");
  return path;
}

let knownVersion: string | null = null;
function versionOf(path: string): string {
  knownVersion ??= /version (\S+ \([^)]*\)|\S+)/.exec(spawnSync(path, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1] ?? "unknown";
  return knownVersion;
}

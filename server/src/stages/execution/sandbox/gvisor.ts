import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault } from "@lanyard/contract";
import { agentInside, dataFds, dataFiles, homeInside, isWithin, ownFiles, sharedMemoryBytes, shownPaths, systemProgram, systemView } from "./bubblewrap.ts";
import type { SandboxDriver, SandboxSpec } from "./driver.ts";
import { LiveSandbox, overStdio, type LiveOptions } from "./live.ts";
import { openFolder } from "./orphans.ts";
import { asOtherUser } from "./other-user.ts";
import { agentArguments, probeBy, whatIsMissing, type DriverOptions } from "./process.ts";

/** Where runsc finds things, in a file system that holds nothing else and ends with it. */
const [rootfs, bundle, state, config] = ["/rootfs", "/bundle", "/state", "config.json"];
/** There is no filter around runsc, which has one of its own: that descriptor carries its configuration. */
const configFd = dataFds.seccomp;
const agentId = 1000;
/** What the kernel in user space takes for itself. The folders in its memory, /tmp and home and the workspace, cannot be told apart from the rest by looking from outside. */
const ownBytes = 64 * 1024 * 1024;
const diskOf = ({ limits }: SandboxSpec): number => Math.max(4096, limits.diskBytes);

/**
 * Driver `gvisor`: a kernel in user space (runsc) between the session and the machine's own, so its tier is `user-kernel`. runsc itself runs in
 * a cage of bubblewrap, as a user that owns nothing: whoever breaks out of its kernel sees what the session could read and no more, its state
 * is on no disk, and the kernel ends all of it with the process that started it.
 */
export const gvisorDriver = ({ clock, folder, agent }: DriverOptions): SandboxDriver => {
  const create = async (spec: SandboxSpec): Promise<LiveSandbox> => {
    const lacking = whatIsMissing("gvisor", agent) ?? (systemProgram("runsc") ? null : "runsc is not installed; `npm run isolation` installs it as root, or `apt install runsc` (Debian 12: from bookworm-backports)");
    if (lacking) throw new Fault("isolation_unavailable", lacking);
    const shown = shownPaths(spec);
    const id = clock.id("sbx");
    const own = openFolder(folder, id, { [config]: JSON.stringify(configuration(spec)), ...dataFiles });
    const { before, source } = asOtherUser(shown, own);
    const cage = cageArguments(spec, shown, source);
    const launch: LiveOptions["launch"] = (around) => {
      const fds = Object.keys(dataFds).map((name) => openSync(name === "agent" ? agent : join(own, name === "seccomp" ? config : name), "r"));
      try {
        const [command = "", ...args] = around([...before, systemProgram("bwrap") ?? "", ...cage, ...rootOfItsOwn(), systemProgram("runsc") ?? "", ...runscArguments(id)]);
        return overStdio(spawn(command, args, { stdio: ["pipe", "pipe", "pipe", ...fds], env: {}, cwd: "/", detached: true })); // A Ctrl-C at the terminal is for the command, not for its cage.
      } finally {
        for (const fd of fds) closeSync(fd);
      }
    };
    return new LiveSandbox({ id, tier: "user-kernel", spec, clock, folder: own, launch, kernel: { overheadBytes: ownBytes + 2 * diskOf(spec) + sharedMemoryBytes } });
  };
  return { name: "gvisor", tier: "user-kernel", lacks: ["snapshot", "pause", "resume"], create, probe: () => probeBy(create) };
};

/** The session's file system, read-only, and around it no more than runsc needs. */
function cageArguments({ workspace }: SandboxSpec, shown: readonly string[], source: (path: string) => string): string[] {
  const folders = ["", ...["/etc", "/tmp", homeInside, workspace, ...shown.map((path) => dirname(path))].flatMap(withParents)];
  return [
    ...["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
    ...systemView(),
    ...folders.flatMap((path) => ["--perms", "0755", "--dir", rootfs + path]),
    ...systemView(rootfs),
    ...ownFiles(rootfs),
    ...shown.flatMap((path) => ["--ro-bind", source(path), rootfs + path]),
    ...["--dir", state, "--perms", "0444", "--ro-bind-data", String(configFd), `${bundle}/${config}`, "--chdir", "/", "--clearenv"],
  ];
}

/** `/a`, `/a/b`, `/a/b/c`. */
const withParents = (path: string): string[] => path.split("/").slice(1).map((_, at, parts) => `/${parts.slice(0, at + 1).join("/")}`);

/** runsc wants to be root of a user namespace within the cage, which takes it a start of its own; a small program does the same sooner. */
const rootOfItsOwn = (): string[] => [systemProgram("unshare") ?? "", "--user", "--map-root-user", "--mount", "--"];

const runscArguments = (id: string): string[] => [
  ...["--root", state, "--rootless", "--platform=systrap", "--network=none", "--ignore-cgroups", "--overlay2=root:memory", "--host-uds=none", "--host-fifo=none"],
  ...["run", "--bundle", bundle, id],
];

/** What the kernel in user space is told: OCI's runtime specification. What can be written to lies in its own memory, and each folder is limited. */
function configuration(spec: SandboxSpec): object {
  const disk = diskOf(spec);
  const folder = (destination: string, bytes: number, mode: string) => ({ destination, type: "tmpfs", source: "tmpfs", options: [`size=${bytes}`, `mode=${mode}`, `uid=${agentId}`, `gid=${agentId}`] });
  return {
    ociVersion: "1.0.2",
    hostname: "sandbox",
    root: { path: rootfs, readonly: true },
    process: {
      terminal: false,
      user: { uid: agentId, gid: agentId },
      args: [agentInside, ...agentArguments(spec)],
      env: [],
      cwd: spec.workspace,
      noNewPrivileges: true,
      capabilities: {},
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "dev", source: "dev" },
      folder("/dev/shm", sharedMemoryBytes, "1777"),
      folder("/tmp", Math.floor(disk / 2), "1777"),
      folder(homeInside, Math.floor(disk / 2), "0700"),
      folder(spec.workspace, disk, "0755"),
      // Where a folder in memory lies over it, it has to be shown again.
      ...shownPaths(spec).filter((path) => ["/tmp", homeInside, spec.workspace].some((over) => isWithin(path, over))).map((path) => ({ destination: path, type: "bind", source: rootfs + path, options: ["ro", "rbind"] })),
    ],
    linux: { namespaces: ["pid", "mount", "ipc", "uts", "network"].map((type) => ({ type })) },
  };
}

import { Fault } from "@lanyard/contract";

// The filter is a classic BPF program over `struct seccomp_data` (seccomp(2)), made here, so that no library and no compiler stands between
// this table and what the kernel runs. It takes away what is for administrators and debuggers, and everything that ignores namespaces.

/** Numbers of system calls by architecture. */
const machines = {
  x64: {
    audit: 0xc000003e, socket: 41, socketpair: 53, clone: 56, ioctl: 16,
    modes: {
      chmod: 90, fchmod: 91, fchmodat: 268, fchmodat2: 452, chown: 92, fchown: 93, lchown: 94, fchownat: 260,
      setxattr: 188, lsetxattr: 189, fsetxattr: 190, setxattrat: 463, removexattr: 197, lremovexattr: 198, fremovexattr: 199, removexattrat: 466,
    },
    absent: { clone3: 435, io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427 },
    refused: {
      ptrace: 101, process_vm_readv: 310, process_vm_writev: 311, process_madvise: 440, kcmp: 312, pidfd_getfd: 438, keyctl: 250, add_key: 248, request_key: 249,
      bpf: 321, perf_event_open: 298, userfaultfd: 323, unshare: 272, setns: 308, mount: 165, umount2: 166, pivot_root: 155, move_mount: 429, open_tree: 428,
      fsopen: 430, fsconfig: 431, fsmount: 432, fspick: 433, mount_setattr: 442, chroot: 161, init_module: 175, finit_module: 313, delete_module: 176,
      kexec_load: 246, kexec_file_load: 320, reboot: 169, swapon: 167, swapoff: 168, acct: 163, settimeofday: 164, clock_settime: 227, clock_adjtime: 305,
      adjtimex: 159, quotactl: 179, quotactl_fd: 443, syslog: 103, open_by_handle_at: 304, name_to_handle_at: 303, fanotify_init: 300, lookup_dcookie: 212,
      nfsservctl: 180, vhangup: 153, sethostname: 170, setdomainname: 171, iopl: 172, ioperm: 173, modify_ldt: 154, memfd_create: 319, memfd_secret: 447, shmget: 29,
    },
  },
  arm64: {
    audit: 0xc00000b7, socket: 198, socketpair: 199, clone: 220, ioctl: 29,
    modes: {
      fchmod: 52, fchmodat: 53, fchmodat2: 452, fchown: 55, fchownat: 54,
      setxattr: 5, lsetxattr: 6, fsetxattr: 7, setxattrat: 463, removexattr: 14, lremovexattr: 15, fremovexattr: 16, removexattrat: 466,
    },
    absent: { clone3: 435, io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427 },
    refused: {
      ptrace: 117, process_vm_readv: 270, process_vm_writev: 271, process_madvise: 440, kcmp: 272, pidfd_getfd: 438, keyctl: 219, add_key: 217, request_key: 218,
      bpf: 280, perf_event_open: 241, userfaultfd: 282, unshare: 97, setns: 268, mount: 40, umount2: 39, pivot_root: 41, move_mount: 429, open_tree: 428,
      fsopen: 430, fsconfig: 431, fsmount: 432, fspick: 433, mount_setattr: 442, chroot: 51, init_module: 105, finit_module: 273, delete_module: 106,
      kexec_load: 104, kexec_file_load: 294, reboot: 142, swapon: 224, swapoff: 225, acct: 89, settimeofday: 170, clock_settime: 112, clock_adjtime: 266,
      adjtimex: 171, quotactl: 60, quotactl_fd: 443, syslog: 116, open_by_handle_at: 265, name_to_handle_at: 264, fanotify_init: 262, lookup_dcookie: 18,
      nfsservctl: 42, vhangup: 58, sethostname: 161, setdomainname: 162, memfd_create: 279, memfd_secret: 447, shmget: 194,
    },
  },
} as const;

/**
 * AF_INET, AF_INET6, AF_NETLINK. Others, AF_VSOCK first of all, do not heed the network namespace; nor does AF_UNIX, whose sockets with a name
 * come along with any folder of the machine that is shown inside: a database's, ssh-agent's, docker's.
 */
const families = [2, 10, 16];
/** A pair is connected to itself and to nothing else: AF_UNIX. */
const pairFamilies = [1];
/** CLONE_NEW*: mount, cgroup, UTS, IPC, user, PID, network. */
const newNamespaces = 0x7e02_0000;
/** TIOCSTI and TIOCLINUX: typing into the terminal of others. */
const typing = [0x5412, 0x541c];
/** Bit that marks a call of the x32 ABI, whose numbers are others. */
const x32 = 0x4000_0000;

const [loadWord, equals, atLeast, anyBit, give] = [0x20, 0x15, 0x35, 0x45, 0x06];
const [numberAt, architectureAt] = [0, 4];
const argumentAt = (index: number): number => 16 + 8 * index; // its lower half, which is all the kernel takes here; both are little-endian
const [allow, kill] = [0x7fff_0000, 0x8000_0000];
const failWith = (errno: number): number => 0x0005_0000 | errno;
const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 };

type Instruction = readonly [code: number, value: number, ifTrue?: number, ifFalse?: number];

type Machine = (typeof machines)["x64" | "arm64"];

function machineOf(architecture: string): Machine {
  if (architecture !== "x64" && architecture !== "arm64") throw new Fault("isolation_unavailable", `there is no table of system calls for \`${architecture}\``);
  return machines[architecture];
}

/** Refuses one call. */
const unless = (number: number, error: number): Instruction[] => [[equals, number, 0, 1], [give, failWith(error)]];

/** Kills who calls by another architecture's numbers; those of the x32 ABI are none. */
const calledAs = (machine: Machine): Instruction[] => [
  [loadWord, architectureAt],
  [equals, machine.audit, 1, 0],
  [give, kill],
  [loadWord, numberAt],
  ...(machine === machines.x64 ? [[atLeast, x32, 0, 1], [give, failWith(errno.ENOSYS)]] satisfies Instruction[] : []),
];

/**
 * The program for `bwrap --seccomp` around a hypervisor, which has filters of its own: what its user owns and may only read it cannot make writable.
 * Throws Fault `isolation_unavailable` for an architecture that has no table.
 */
export function modesKeptProgram(architecture: string): Buffer {
  const machine = machineOf(architecture);
  return assemble([
    ...calledAs(machine),
    ...Object.values(machine.absent).flatMap((number) => (number === machine.absent.clone3 ? [] : unless(number, errno.ENOSYS))),
    ...Object.values(machine.modes).flatMap((number) => unless(number, errno.EPERM)),
    [give, allow],
  ]);
}

/** The program for `bwrap --seccomp`. Throws Fault `isolation_unavailable` for an architecture that has no table. */
export function seccompProgram(architecture: string): Buffer {
  const machine = machineOf(architecture);
  /** For one call: looks at an argument, and ends. */
  const judged = (number: number, index: number, tests: readonly Instruction[]): Instruction[] => [
    [equals, number, 0, tests.length + 1],
    [loadWord, argumentAt(index)],
    ...tests,
  ];
  const only = (allowed: readonly number[]): Instruction[] => [...allowed.map((family, at): Instruction => [equals, family, allowed.length - at, 0]), [give, failWith(errno.EAFNOSUPPORT)], [give, allow]];
  const noTyping: Instruction[] = [...typing.map((request, at): Instruction => [equals, request, typing.length - at, 0]), [give, allow], [give, failWith(errno.EPERM)]];
  return assemble([
    ...calledAs(machine),
    ...Object.values(machine.absent).flatMap((number) => unless(number, errno.ENOSYS)),
    ...Object.values(machine.refused).flatMap((number) => unless(number, errno.EPERM)),
    ...judged(machine.clone, 0, [[anyBit, newNamespaces, 0, 1], [give, failWith(errno.EPERM)], [give, allow]]),
    ...judged(machine.socket, 0, only(families)),
    ...judged(machine.socketpair, 0, only(pairFamilies)),
    ...judged(machine.ioctl, 1, noTyping),
    [give, allow],
  ]);
}

/** `struct sock_filter`: u16 code, u8 jump if true, u8 jump if false, u32 value. */
function assemble(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, value, ifTrue = 0, ifFalse = 0], at) => {
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(ifTrue, at * 8 + 2);
    bytes.writeUInt8(ifFalse, at * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, at * 8 + 4);
  });
  return bytes;
}

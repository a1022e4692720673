"""Attacks from inside a sandbox, each one a line of JSON: {"name", "through", "how"}. Run with facts of the host as JSON in the first argument.

An attack that gets nowhere says how: the errno, or what was seen. `contained`: it works, on a kernel that is the session's own. With "control" in
the facts only attacks run that are harmless and bounded where nothing holds them back. Nothing here sends a packet to a real host: a datagram
socket's connect() only looks for a route."""
import ctypes, errno, glob, json, os, socket, sys

facts = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
attacks = []


class Through(Exception):
    pass


class Contained(Exception):
    pass


def attack(name, control=True):
    def add(run):
        attacks.append((name, control, run))
        return run
    return add


def call(number, *args):
    result = libc.syscall(number, *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def own_kernel(what):
    """Reached a kernel: whose?"""
    if os.uname().release == facts["release"]:
        raise Through(what)
    raise Contained(what + "; the kernel is the session's own, " + os.uname().release)


def refused_only(number, *args, means=()):
    """A call with arguments that make no sense: whoever is let in far enough hears so."""
    try:
        call(number, *args)
    except OSError as error:
        if error.errno in means:
            own_kernel("let in, " + errno.errorcode[error.errno])
        raise
    own_kernel("let in")


@attack("files of the host")
def _():
    open(facts["marker"]).read()
    raise Through("read it")


@attack("files of the host by /proc/1/root")
def _():
    open("/proc/%d/root%s" % (facts["sleeper_pid"] if facts["control"] else 1, facts["marker"])).read()
    raise Through("read it")


@attack("files of the host by climbing")
def _():
    root = os.open("/", os.O_RDONLY)
    for _ in range(20):
        root = os.open("..", os.O_RDONLY, dir_fd=root)
    os.open(facts["marker"].lstrip("/"), os.O_RDONLY, dir_fd=root)
    raise Through("read it")


@attack("environment of the host's processes")
def _():
    seen = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            if facts["secret"].encode() in open(path, "rb").read():
                raise Through(path)
        except OSError as error:
            seen.append(errno.errorcode[error.errno])
    return "not in %d environments, %d of them closed" % (len(glob.glob("/proc/[0-9]*")), len(seen))


@attack("processes of the host")
def _():
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if facts["sleeper"].encode() in open(path, "rb").read():
                raise Through(path)
        except OSError:
            pass
    return "not among %d processes" % len(glob.glob("/proc/[0-9]*"))


@attack("a signal to a process of the host")
def _():
    os.kill(facts["sleeper_pid"], 0)
    for path in glob.glob("/proc/%d/cmdline" % facts["sleeper_pid"]):
        if facts["sleeper"].encode() in open(path, "rb").read():
            raise Through("it would get one")
    return "another process has its number here"


@attack("the agent's channel")
def _():
    pid = 1 if not facts["control"] else facts["agent_pid"]
    try:
        os.open("/proc/%d/fd/1" % pid, os.O_WRONLY)
        raise Through("opened it")
    except OSError as error:
        if error.errno != errno.ENXIO:  # a socket cannot be opened by its name in any case
            raise
    call(438, call(434, pid, 0), 1, 0)
    raise Through("has a copy")


@attack("tracing the agent", control=False)
def _():
    call(101, 0x4206, 1, 0, 0)
    raise Through("traced")


@attack("the agent's memory")
def _():
    os.open("/proc/%d/mem" % (1 if not facts["control"] else facts["agent_pid"]), os.O_RDWR)
    raise Through("opened it")


@attack("a port of the host's loopback")
def _():
    connection = socket.create_connection(("127.0.0.1", facts["port"]), 3)
    raise Through(connection.recv(20).decode())


def route(family, address, port):
    socket.socket(family, socket.SOCK_DGRAM).connect((address, port))
    raise Through("there is a route")


@attack("a route to another host", control=facts["routed"])
def _():
    route(socket.AF_INET, "192.0.2.1", 443)


@attack("a route to the metadata address", control=facts["routed"])
def _():
    route(socket.AF_INET, "169.254.169.254", 80)


@attack("a route to a private address", control=facts["routed"])
def _():
    route(socket.AF_INET, "10.1.2.3", 80)


@attack("a route over IPv6", control=facts["routed6"])
def _():
    route(socket.AF_INET6, "2001:db8::1", 443)


@attack("a route to a name server", control=facts["routed"])
def _():
    route(socket.AF_INET, "192.0.2.53", 53)


@attack("network devices")
def _():
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    if names:
        raise Through(" ".join(names))
    return "loopback only"


@attack("ICMP")
def _():
    try:
        it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    except OSError:
        it = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    it.connect(("127.0.0.1" if facts["control"] else "192.0.2.1", 0))
    raise Through("a socket, and a route")


@attack("raw sockets")
def _():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raise Through("has one")


@attack("packet sockets")
def _():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)
    raise Through("has one")


@attack("vsock; socket() only, never connected", control=facts["vsock"])
def _():
    socket.socket(40, socket.SOCK_STREAM)
    own_kernel("has one")


@attack("an abstract socket of the host")
def _():
    it = socket.socket(socket.AF_UNIX)
    it.connect("\0" + facts["abstract"])
    raise Through(it.recv(20).decode())


@attack("a socket of the host in a folder that is shown")
def _():
    it = socket.socket(socket.AF_UNIX)
    it.connect(facts["readable"] + "/socket")
    raise Through(it.recv(20).decode())


@attack("mount")
def _():
    if facts["control"]:
        call(272, 0x20000)  # a mount namespace of its own, private, so that nothing of it is left
        libc.mount(b"none", b"/", None, 0x44000, None)
    if libc.mount(b"tmpfs", facts["workspace"].encode(), b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "")
    raise Through("mounted")


@attack("loading a module", control=facts["modules"])
def _():
    refused_only(175, b"\0" * 8, 8, b"", means=(errno.ENOEXEC, errno.EINVAL))


@attack("memory of the machine")
def _():
    for path in ("/dev/mem", "/dev/kmem", "/proc/kcore"):
        if os.path.exists(path):
            os.close(os.open(path, os.O_RDONLY))
            own_kernel(path)
    if facts["control"]:
        raise Through("none on this host")
    raise OSError(errno.ENOENT, "")


@attack("making a device")
def _():
    path = facts["workspace"] + "/device"
    try:
        os.mknod(path, 0o20600, os.makedev(1, 1))
        own_kernel("made one")
    finally:
        if os.path.lexists(path):
            os.unlink(path)


@attack("the kernel's log", control=facts["log"] != "")
def _():
    text = ctypes.create_string_buffer(1 << 20)
    length = libc.klogctl(3, text, len(text))
    if length < 0:
        raise OSError(ctypes.get_errno(), "")
    if facts["log"] and facts["log"].encode() in text.raw[:length]:
        raise Through("read it")
    raise Contained("another kernel's log")


@attack("core_pattern, with the value it has")
def _():
    path = "/proc/sys/kernel/core_pattern"
    value = open(path).read()
    with open(path, "w") as file:
        file.write(value)
    own_kernel("written")


@attack("sysrq; opened only", control=os.path.exists("/proc/sysrq-trigger"))
def _():
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    own_kernel("opened")


@attack("a setting of the network, opened only")
def _():
    os.close(os.open("/proc/sys/net/ipv4/ip_forward", os.O_WRONLY))
    own_kernel("opened")


@attack("namespaces of its own")
def _():
    if os.fork() == 0:
        code = 0
        try:
            call(272, 0x10000000)
        except OSError as error:
            code = error.errno
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.wait()[1])
    if code:
        raise OSError(code, "")
    own_kernel("has one")


@attack("ptrace")
def _():
    if os.fork() == 0:
        code = 0
        try:
            call(101, 0, 0, 0, 0)
        except OSError as error:
            code = error.errno
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.wait()[1])
    if code:
        raise OSError(code, "")
    own_kernel("traced")


@attack("bpf")
def _():
    refused_only(321, 0, None, 0, means=(errno.EINVAL, errno.EFAULT, errno.E2BIG))


@attack("perf")
def _():
    refused_only(298, None, 0, -1, -1, 0, means=(errno.EINVAL, errno.EFAULT))


@attack("keyrings")
def _():
    refused_only(250, 0, -3, 0)


@attack("io_uring", control=facts["uring"])
def _():
    refused_only(425, 1, ctypes.create_string_buffer(256))


@attack("opening files by handle")
def _():
    refused_only(304, -100, ctypes.create_string_buffer(b"\x08\0\0\0\x01\0\0\0" + b"\0" * 8), 0, means=(errno.ESTALE, errno.EBADF, errno.EINVAL))


@attack("starting the machine anew, with a magic number that is wrong")
def _():
    refused_only(169, 1, 2, 3, 0, means=(errno.EINVAL,))


@attack("userfaultfd")
def _():
    refused_only(323, 0)


@attack("becoming root")
def _():
    os.setuid(0)
    raise Through("uid %d" % os.getuid())


@attack("capabilities")
def _():
    for line in open("/proc/self/status"):
        if line.startswith("CapEff:"):
            if int(line.split()[1], 16):
                raise Through(line.split()[1])
            return "none"


def write_below(folder):
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600))
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        os.close(os.open(folder + "/escape", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    raise Through("written")


@attack("writing to /usr")
def _():
    write_below("/usr")


@attack("writing to a folder that is shown")
def _():
    write_below(facts["readable"])


@attack("control groups; opened only")
def _():
    for path in glob.glob("/sys/fs/cgroup/cgroup.procs") + glob.glob("/sys/fs/cgroup/*/cgroup.procs"):
        os.close(os.open(path, os.O_WRONLY))
        own_kernel(path)
    if facts["control"]:
        raise Through("none on this host")
    raise OSError(errno.ENOENT, "")


@attack("setting the clock", control=False)
def _():
    call(227, 0, ctypes.create_string_buffer(b"\xff" * 16))
    own_kernel("set")


for name, control, run in attacks:
    if facts["control"] and not control:
        continue
    through, how = False, ""
    try:
        how = run() or ""
    except Through as error:
        through, how = True, str(error)
    except Contained as error:
        how = "contained: " + str(error)
    except OSError as error:
        how = errno.errorcode.get(error.errno, str(error))
    print(json.dumps({"name": name, "control": bool(control), "through": through, "how": how}), flush=True)

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ambient, DaemonProcess, program, World } from "../daemon.ts";
import { SandboxGround, textOf } from "../kits/sandbox.ts";

const yaml = "teams: { support: {} }\nusers: { ana: {} }\nagents: { clerk: { team: support } }\n";

/** A person at a terminal: starts the command, waits for what it shows, resizes the window, types, and looks at the terminal's settings afterwards. */
const person = `
import fcntl, json, os, struct, subprocess, sys, termios, threading, time
master, slave = os.openpty()
size = lambda rows, columns: fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
size(17, 91)
before = termios.tcgetattr(slave)
def own():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
child = subprocess.Popen(sys.argv[1:], stdin=slave, stdout=slave, stderr=slave, preexec_fn=own)
seen = b""
def shows(text):
    global seen
    end = time.time() + 90
    while text not in seen:
        if time.time() > end: sys.exit("never showed %r, but %r" % (text, seen))
        seen += os.read(master, 4096)
    seen = seen[seen.index(text) + len(text):]
shows(b"17 91")
raw = not termios.tcgetattr(slave)[3] & termios.ICANON
size(40, 120)
os.write(master, b"word\\r")
shows(b"got word")
shows(b"40 120")
shows(b"ready") # Of a Ctrl-C while it waits for a command that is just ending, a shell makes what it likes.
os.write(master, b"\\x03")
code = child.wait(90)
print(json.dumps({"raw": raw, "code": code, "restored": termios.tcgetattr(slave) == before}))
`;

it("at a terminal, the command inside has one of the same size, gets every key, and leaves it as it was", async ({ skip }) => {
  using ground = new SandboxGround();
  if ((await ground.lacking("process", "`lanyard run` at a terminal")) !== null) skip();
  using world = new World({ yaml, policies: {} });
  await using daemon = await DaemonProcess.start(world, { HOME: process.env["HOME"] ?? "" });
  const workspace = mkdtempSync("/var/tmp/lanyard-terminal-");
  const inside = "stty size; read line; echo got $line; while [ \"$(stty size)\" = '17 91' ]; do sleep 0.05; done; stty size; echo ready; exec sleep 60";
  const command = [process.execPath, program, "--config", world.config, "run", "--isolation", "process", "--agent", "clerk", "--on-behalf-of", "ana", "--purpose", "type", "--", "sh", "-c", inside];
  const env = { ...ambient, HOME: process.env["HOME"], LANYARD_HOME: join(world.folder, "home"), LANYARD_LOG: "error", TERM: "xterm" };
  const child = spawn("python3", ["-c", person, ...command], { cwd: workspace, env, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  rmSync(workspace, { recursive: true });
  expect({ out: out.trim(), err, daemon: daemon.url !== "" }).toEqual({ out: JSON.stringify({ raw: true, code: 130, restored: true }).replaceAll(/([:,])/g, "$1 "), err: "", daemon: true });
});

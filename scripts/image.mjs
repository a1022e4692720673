// The virtual machine's system, kernel and modules, made from Debian's packages. Parses and runs on any Node >= 16, as install.mjs does.
import { spawn } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const suite = "bookworm";
const mirror = "http://deb.debian.org/debian";
const packages = [
  ...["base-files", "bash", "bzip2", "coreutils", "dash", "diffutils", "findutils", "grep", "gzip", "hostname", "libc-bin", "mawk", "ncurses-base", "ncurses-bin", "sed", "tar", "util-linux", "xz-utils"],
  ...["ca-certificates", "curl", "git", "iproute2", "less", "libstdc++6", "openssl", "patch", "procps", "python3"],
];
// In the order in which they can be loaded; one that this kernel has built in is not there to be found.
const modules = [
  ...["virtio_ring", "virtio", "virtio_mmio", "virtio_blk", "virtio_console", "virtio-rng", "libcrc32c", "erofs", "overlay"],
  ...["vsock", "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport"],
];
// What sessions run most is `sh -c`. Debian's own is linked at each start, which takes an emulated processor longer than all that the shell does then; so it is built from Debian's source without that.
const shellSource = { name: "dash-0.5.12", path: "pool/main/d/dash/dash_0.5.12.orig.tar.gz", sha256: "6a474ac46e8b0b32916c4c60df694c82058d3297d8b385b74508030ca4a8f28a" };
const unneeded = ["./dev/*", "./tmp/*", "./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/info", "./var/cache/*", "./var/lib/apt/*", "./var/lib/dpkg/info"];
const files = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
  "etc/group": "root:x:0:\ntty:x:5:\nagent:x:1000:\nnogroup:x:65534:\n",
  "etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
};

/** Runs a program, its output into `into` when given; rejects with what it said. */
const pipe = (command, args, { cwd, input, into } = {}) =>
  new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, stdio: [input ? "pipe" : "ignore", into ? "pipe" : "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk) => (said = (said + chunk).slice(-2000)));
    if (into) child.stdout.pipe(into);
    if (input) child.stdin.on("error", () => {}).end(input);
    child.on("error", (error) => fail(new Error(`\`${command}\` did not start: ${error.code}`)));
    child.on("close", (code) => (code === 0 ? done() : fail(new Error(`\`${basename(command)}\` failed with ${code}: ${said.trim().split("\n").slice(-4).join("; ")}`))));
  });

const textOf = async (command, args) => {
  const { PassThrough } = await import("node:stream");
  const into = new PassThrough();
  let text = "";
  into.on("data", (chunk) => (text += chunk));
  await pipe(command, args, { into });
  return text;
};

const decompressors = [
  { magic: "02214c18", command: ["lz4", "-dc"] },
  { magic: "fd377a58", command: ["xz", "-dc"] },
  { magic: "28b52ffd", command: ["zstd", "-dc"] },
  { magic: "1f8b0800", command: ["gzip", "-dc"] },
];

/** Decompressed once here, and not by each machine that boots: a bzImage says in its header where the kernel lies in it. */
const extractKernel = async (image, to) => {
  const { createWriteStream } = await import("node:fs");
  const at = (image[0x1f1] + 1) * 512 + image.readUInt32LE(0x248);
  const payload = image.subarray(at, at + image.readUInt32LE(0x24c) - 4); // the last four bytes are its size
  const found = decompressors.find(({ magic }) => payload.toString("hex", 0, 4) === magic);
  if (!found) throw new Error("this kernel is compressed in a way that is not known here");
  const into = createWriteStream(to);
  const written = new Promise((done, fail) => into.on("close", done).on("error", fail));
  await pipe(found.command[0], found.command.slice(1), { input: payload, into });
  await written;
};

const walk = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)]));

const kernel = async (folder) => {
  const work = join(folder, "kernel");
  mkdirSync(work);
  const described = await textOf("apt-cache", ["show", "--no-all-versions", "linux-image-cloud-amd64"]);
  const name = (/^Depends:.*?\b(linux-image-[^ ,]+)/m.exec(described) || [])[1];
  if (!name) throw new Error("apt knows no linux-image-cloud-amd64");
  await pipe("apt-get", ["-o", "APT::Sandbox::User=root", "download", "-q", name], { cwd: work });
  const [deb] = readdirSync(work);
  await pipe("dpkg-deb", ["-x", deb, "."], { cwd: work });
  const all = walk(work);
  await extractKernel(readFileSync(all.find((path) => basename(path).startsWith("vmlinuz-"))), join(folder, "vmlinux"));
  mkdirSync(join(folder, "modules"));
  for (const [index, module] of modules.entries()) {
    const path = all.find((one) => basename(one) === `${module}.ko` || basename(one) === `${module}.ko.xz`);
    if (!path) continue;
    if (path.endsWith(".xz")) await pipe("xz", ["-d", path]);
    copyFileSync(path.replace(/\.xz$/, ""), join(folder, "modules", `${String(index).padStart(2, "0")}-${module}.ko`));
  }
  rmSync(work, { recursive: true });
};

/** Builds the shell, linked once and for all, with Debian's own settings; returns its path. */
const shell = async (folder) => {
  const work = join(folder, "shell");
  mkdirSync(work);
  const archive = join(work, "source");
  await pipe("/usr/lib/apt/apt-helper", ["-o", "APT::Sandbox::User=root", "download-file", `${mirror}/${shellSource.path}`, archive, `SHA256:${shellSource.sha256}`]);
  await pipe("tar", ["-xzf", archive, "--no-same-owner", "-C", work]);
  const cwd = join(work, shellSource.name);
  const settings = ["--quiet", "--disable-fnmatch", "--disable-glob", "--disable-lineno", "CC=musl-gcc", "CFLAGS=-O2", "LDFLAGS=-static -s -Wl,-z,noseparate-code"];
  await pipe("./configure", settings, { cwd });
  await pipe("make", ["--quiet", "--output-sync", "CC_FOR_BUILD=gcc"], { cwd });
  return join(cwd, "src", "dash");
};

/** Unpacked and not installed, which is faster and asks for no rights; what the packages' scripts would have done and is needed is done here. */
const system = async (folder, node, npm, sh) => {
  const work = join(folder, "system");
  mkdirSync(work);
  const unpack = spawn("tar", ["-x", "--no-same-owner", ...unneeded.map((path) => `--exclude=${path}`), "-C", work], { stdio: ["pipe", "ignore", "ignore"] });
  const unpacked = new Promise((done, fail) => unpack.on("error", fail).on("close", (code) => (code === 0 ? done() : fail(new Error(`tar failed with ${code}`)))));
  unpacked.catch(() => {});
  unpack.stdin.on("error", () => {});
  const options = ["--variant=extract", "--format=tar", "--skip=cleanup", "--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\""];
  await pipe("mmdebstrap", [...options, "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", `--include=${packages.join(",")}`, suite, "-", mirror], { into: unpack.stdin });
  await unpacked;
  for (const [path, text] of Object.entries(files)) writeFileSync(join(work, path), text);
  for (const path of ["usr/local/bin", "usr/local/lib/node_modules"]) mkdirSync(join(work, path), { recursive: true });
  rmSync(join(work, "usr/bin/awk"), { force: true });
  symlinkSync("mawk", join(work, "usr/bin/awk"));
  const certificates = walk(join(work, "usr/share/ca-certificates")).sort().map((path) => readFileSync(path, "utf8"));
  writeFileSync(join(work, "etc/ssl/certs/ca-certificates.crt"), certificates.join("\n"));
  rmSync(join(work, "usr/lib/ssl/cert.pem"), { force: true });
  symlinkSync("/etc/ssl/certs/ca-certificates.crt", join(work, "usr/lib/ssl/cert.pem"));
  copyFileSync(await sh, join(work, "usr/bin/dash"));
  copyFileSync(node, join(work, "usr/local/bin/node"));
  cpSync(join(npm, "node_modules/npm"), join(work, "usr/local/lib/node_modules/npm"), { recursive: true });
  for (const name of ["npm", "npx"]) symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(work, "usr/local/bin", name));
  // Python compiles what it imports; in the guest it could not keep that. By hash, since the disk has no times.
  const prepare = "/usr/sbin/ldconfig && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/lib/python3*";
  await pipe("bwrap", ["--unshare-net", "--bind", work, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--", "/bin/sh", "-c", prepare]);
  await pipe("mkfs.erofs", ["--quiet", "-zlz4", "--all-root", "-T0", join(folder, "system.erofs"), work]);
  rmSync(work, { recursive: true });
};

/** Fills `folder` with `vmlinux`, `modules/` and `system.erofs`. Invariant: it exists only when it is complete. */
export const makeImage = async (folder, { node, npm }) => {
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  mkdirSync(fresh, { mode: 0o755 });
  try {
    const sh = shell(fresh);
    await Promise.all([kernel(fresh), sh, system(fresh, node, npm, sh)]);
    rmSync(join(fresh, "shell"), { recursive: true });
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
};

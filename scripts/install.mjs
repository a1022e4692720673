// What must lie on the machine before Lanyard runs: a recent Node, the dependencies, other people's programs for demo and tests.
// Invariant: parses and runs on any Node >= 16 and imports nothing but Node itself; it is what fetches everything else.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, copyFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { makeImage } from "./image.mjs";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

// The registry carries the Node binary as a plain package without a script. The hash is pinned here, not taken from the registry.
const pinnedNode = {
  version: "24.21.0",
  integrity: {
    "linux-x64": "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
    "linux-arm64": "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
  },
};

/** A failure the user can do something about: printed without a stack. */
export class Hint extends Error {}

/** True when this very process is a Node that runs the source as it is: type stripping without a flag, node:sqlite. */
export const nodeIsRecent = () => {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > 24 || (major === 24 && minor >= 12);
};

// Folder for everything installed outside the dependency tree.
const cachePath = () => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "lanyard");

const cacheFolder = () => {
  const folder = cachePath();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Hint(`cannot make the cache folder \`${folder}\`: ${error.code}. Set XDG_CACHE_HOME to a folder you can write to.`);
  }
  return folder;
};

const say = (line) => process.stderr.write(`${line}\n`);

/** Says on stderr what is being done and how long it took; stdout belongs to the program. */
const progress = async (what, work) => {
  const started = Date.now();
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  say(`  … ${what}`);
  const ticker = setInterval(() => say(`  … ${what}, still at it after ${seconds()}`), 10_000);
  try {
    const result = await work();
    say(`  ✓ ${what} (${seconds()})`);
    return result;
  } catch (error) {
    say(`  ✗ ${what} (${seconds()})`);
    throw error;
  } finally {
    clearInterval(ticker);
  }
};

const explain = (what, output) => {
  const lines = output.split("\n").map((line) => line.replace(/^npm (error|ERR!) ?/, "").trim());
  const tail = lines.filter((line) => line && !line.startsWith("at ")).slice(0, 8).join("\n    "); // npm says what is wrong first, its manual after
  if (/E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NOTCACHED|NETUNREACH)/.test(output)) {
    return new Hint(
      `could not install ${what}: the npm registry was not reached.\n    ${tail}\n` +
        "  Connect to a network that reaches it (or point `npm config set registry` at a mirror) and run the same command again;\n" +
        "  once installed, nothing here needs the network.",
    );
  }
  if (/EINTEGRITY/.test(output)) {
    return new Hint(`could not install ${what}: what the registry sent is not what this version pins. Do not go on; tell the maintainers.\n    ${tail}`);
  }
  return new Hint(`could not install ${what}: npm failed.\n    ${tail}`);
};

// Invariant: no package runs a script of its own while it is installed.
const npmFlags = [
  "--ignore-scripts",
  "--engine-strict=false",
  "--prefer-offline",
  ...["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"],
  ...["--fetch-retries=3", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000"], // offline is said within seconds
];

// npm run by the npm that runs us, else the one on the PATH.
const npm = (args, cwd, what) =>
  new Promise((done, fail) => {
    const cli = process.env.npm_execpath;
    const ours = cli && basename(cli) === "npm-cli.js" && existsSync(cli);
    const child = spawn(ours ? process.execPath : "npm", [...(ours ? [cli] : []), ...args, ...npmFlags], { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) =>
      fail(new Hint(`could not start npm to install ${what}: ${error.code}. Install npm (Debian: \`apt install npm\`) and run the same command again.`)),
    );
    child.on("close", (code) => (code === 0 ? done() : fail(explain(what, output))));
  });

const isAlive = (pid) => {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
};

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Process that holds the lock, 0 when it died between making the file and signing it.
const holderOf = (path) => {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    return pid || (Date.now() - statSync(path).mtimeMs > 5_000 ? 0 : process.pid);
  } catch {
    return 0;
  }
};

/** Runs `work` while no other process of this user runs work of the same name. */
const alone = async (name, work) => {
  const path = join(cacheFolder(), `${name}.lock`);
  for (let waited = 0; ; waited += 1) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw new Hint(`cannot write to the cache folder: ${error.message}. Set XDG_CACHE_HOME to a folder you can write to.`);
    }
    const holder = holderOf(path);
    if (!isAlive(holder)) rmSync(path, { force: true });
    if (waited === 5) say(`  … waiting for process ${holder}, which is installing the same`);
    await pause(200);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
};

/**
 * Installs the package.json and lock that `prepare` writes into a cache folder named after `key`, once, and returns the folder.
 * Invariant: the folder exists only when it is complete. It is filled under another name and moved into place in one step.
 */
const installOnce = async (what, key, prepare, npmArgs = []) => {
  const folder = join(cacheFolder(), key);
  if (existsSync(folder)) return folder;
  await alone(key, async () => {
    if (existsSync(folder)) return;
    const fresh = `${folder}.new`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true, mode: 0o700 });
    try {
      await progress(`installing ${what}`, async () => {
        const check = prepare(fresh);
        await npm(["ci", ...npmArgs], fresh, what);
        if (check) check(fresh);
        renameSync(fresh, folder);
      });
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  });
  return folder;
};

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

/** Folder with the programs pinned by `<folder>/package-lock.json`, below node_modules: other people's software, not our dependencies. */
export const programs = (folder, what) => {
  const source = resolve(root, folder);
  const lock = readFileSync(join(source, "package-lock.json"));
  const name = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
  const omit = name.installOptional ? [] : ["--omit=optional"];
  return installOnce(
    what || name.description || folder,
    `${name.name}-${sha256(lock).slice(0, 16)}`,
    (fresh) => {
      for (const file of ["package.json", "package-lock.json"]) copyFileSync(join(source, file), join(fresh, file));
    },
    omit,
  );
};

/** Path of a Node that runs the source: this one when it can, else the pinned one, installed on first use. */
export const recentNode = async () => {
  if (nodeIsRecent()) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  const integrity = pinnedNode.integrity[platform];
  const byHand = `Install Node 24.12 or newer yourself (https://nodejs.org/en/download) and run the same command again.`;
  if (!integrity) throw new Hint(`Node ${process.versions.node} is too old and no newer one is pinned for \`${platform}\`. ${byHand}`);
  const name = `node-${platform}`;
  const binary = (folder) => join(folder, "node_modules", name, "bin", "node");
  const folder = await installOnce(`Node ${pinnedNode.version} (yours is ${process.versions.node})`, `${name}-${pinnedNode.version}`, (fresh) => {
    const wanted = { name: "lanyard-node", version: "1.0.0", dependencies: { [name]: pinnedNode.version } };
    const lock = { ...wanted, lockfileVersion: 3, requires: true, packages: { "": wanted, [`node_modules/${name}`]: { version: pinnedNode.version, integrity } } };
    writeFileSync(join(fresh, "package.json"), JSON.stringify(wanted));
    writeFileSync(join(fresh, "package-lock.json"), JSON.stringify(lock));
    return () => {
      const run = spawnSync(binary(fresh), ["--version"], { encoding: "utf8" });
      if (run.stdout?.trim() !== `v${pinnedNode.version}`) throw new Hint(`the pinned Node does not run on this system (${run.error?.code || run.stderr}). ${byHand}`);
    };
  });
  return binary(folder);
};

// npm leaves a lock of what it really installed; when that agrees with ours there is nothing to do, whoever ran the install.
const isInstalled = (isFull) => {
  try {
    const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    const present = JSON.parse(readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      if (!path.startsWith("node_modules/") || entry.optional || entry.devOptional || (entry.dev && !isFull)) return true;
      const found = present[path];
      return found && found.version === entry.version && found.integrity === entry.integrity && existsSync(join(root, path));
    });
  } catch {
    return false;
  }
};

/** Brings node_modules to what package-lock.json says; with the tools of development when `isFull`. */
export const dependencies = async (isFull) => {
  if (isInstalled(isFull)) return;
  await alone(`clone-${sha256(root).slice(0, 16)}`, async () => {
    if (isInstalled(isFull)) return;
    const what = isFull ? "dependencies with development tools" : "dependencies";
    await progress(`installing ${what}`, () => npm(["ci", isFull ? "--include=dev" : "--omit=dev"], root, what));
    boundCompileCache();
  });
};

// What isolation needs of the system, and the Debian package that has it.
const systemPrograms = [
  { name: "bwrap", package: "bubblewrap" },
  { name: "setpriv", package: "util-linux" },
  { name: "tar", package: "tar" },
];
const compilers = [{ name: "musl-gcc", package: "musl-tools" }, { name: "gcc", package: "gcc" }];
const hasProgram = (name) => (process.env.PATH || "").split(delimiter).some((folder) => folder && existsSync(join(folder, name)));

const runQuietly = (command, args, what) =>
  new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => fail(new Hint(`could not ${what}: \`${command}\` did not start: ${error.code}`)));
    child.on("close", (code) => (code === 0 ? done() : fail(new Hint(`could not ${what}:\n    ${output.trim().split("\n").slice(-6).join("\n    ")}`))));
  });

const isRootWithApt = () => typeof process.geteuid === "function" && process.geteuid() === 0 && hasProgram("apt-get");

// Debian 12 has what we need of these in its backports. They are named for this one command; the system's own list of sources stays as it is.
const backports = () => {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  if (!/^VERSION_CODENAME=bookworm$/m.test(release)) return [];
  const list = join(cacheFolder(), "backports.list");
  writeFileSync(list, "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main\n");
  return ["-o", `Dir::Etc::SourceList=${list}`];
};

// Installs packages by apt when this is root on a system that has it; else says what to type.
const systemPackages = async (missing) => {
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((one) => one.package))];
  if (!isRootWithApt()) throw new Hint(`isolation needs ${names.join(", ")}. Install with: sudo apt install ${names.join(" ")} (or your system's way), then \`npm run isolation\``);
  await progress(`installing ${names.join(", ")}`, async () => {
    const newer = missing.some((one) => one.newer) ? backports() : [];
    await runQuietly("apt-get", ["update", "-q", ...newer], "refresh the list of packages");
    for (const isNewer of [false, true]) {
      const wanted = names.filter((name) => missing.some((one) => one.package === name && Boolean(one.newer) === isNewer));
      const release = isNewer && newer.length > 0 ? [...newer, "-t", "bookworm-backports"] : [];
      if (wanted.length > 0) await runQuietly("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...release, ...wanted], `install ${wanted.join(", ")}`);
    }
  });
};

// Stronger drivers: installed where that can be done, else what to type is said and the others do. `newer`: from Debian's backports.
const strongerPrograms = [
  { name: "runsc", package: "runsc", newer: true },
  ...(process.arch === "x64" ? [{ name: "qemu-system-x86_64", package: "qemu-system-x86", newer: true }] : []),
];
const imagePrograms = [
  ...[{ name: "mmdebstrap", package: "mmdebstrap" }, { name: "mkfs.erofs", package: "erofs-utils" }, { name: "lz4", package: "lz4" }],
  ...[...compilers, { name: "make", package: "make" }],
  ...[{ name: "xz", package: "xz-utils" }, { name: "dpkg-deb", package: "dpkg" }, { name: "apt-get", package: "apt" }],
];

const installStronger = async () => {
  const missing = [...strongerPrograms, ...(process.arch === "x64" ? imagePrograms : [])].filter(({ name }) => !hasProgram(name));
  if (isRootWithApt()) return systemPackages(missing);
  for (const one of missing) say(`  - not installed: ${one.name}. Sessions in a stronger sandbox need it: sudo apt install ${one.package}${one.newer ? " (Debian 12: from bookworm-backports)" : ""}`);
};

// The system of the virtual machines, once for each text of its recipe.
const guestImage = async () => {
  if (![...strongerPrograms, ...imagePrograms].every(({ name }) => name === "runsc" || hasProgram(name)) || process.arch !== "x64") return;
  const recipe = ["image.mjs", "image/package-lock.json"].map((name) => readFileSync(join(root, "scripts", name)));
  const version = nodeIsRecent() ? process.version : `v${pinnedNode.version}`;
  const folder = join(cacheFolder(), `guest-image-${sha256(Buffer.concat([...recipe, Buffer.from(version)])).slice(0, 16)}`);
  if (existsSync(folder)) return;
  const [node, npm] = await Promise.all([recentNode(), programs("scripts/image")]);
  await progress("making the virtual machines' system from Debian's packages", async () => {
    await makeImage(folder, { node, npm }).catch((error) => {
      throw new Hint(`could not make the virtual machines' system: ${error.message}`);
    });
    const images = readdirSync(cacheFolder()).filter((name) => /^guest-image-[0-9a-f]+$/.test(name)).map((name) => join(cacheFolder(), name));
    const made = new Map(images.map((path) => [path, statSync(path).mtimeMs]));
    for (const old of images.sort((a, b) => made.get(b) - made.get(a)).slice(3)) rmSync(old, { recursive: true, force: true });
  });
};

const buildAgent = async (folder, sources) => {
  if (existsSync(join(folder, "agent"))) return;
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  await progress("building the guest agent", () => runQuietly("musl-gcc", ["-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", join(fresh, "agent"), ...sources.filter((path) => path.endsWith(".c"))], "build the guest agent"));
  renameSync(fresh, folder);
};

/**
 * What `lanyard run --isolation` needs: bubblewrap, and for stronger drivers runsc, QEMU and a system for its machines; and the guest agent built from guest/ into the cache folder, once for each text
 * of it. Returns the agent's path.
 */
export const isolation = async () => {
  if (process.platform !== "linux") throw new Hint("isolation needs Linux");
  const sources = readdirSync(join(root, "guest")).sort().map((name) => join(root, "guest", name));
  const folder = join(cacheFolder(), `guest-agent-${sha256(Buffer.concat(sources.map((path) => readFileSync(path)))).slice(0, 16)}`);
  const isBuilt = existsSync(join(folder, "agent"));
  await alone("isolation", async () => {
    await systemPackages([...systemPrograms, ...(isBuilt || hasProgram("musl-gcc") ? [] : compilers)].filter(({ name }) => !hasProgram(name)));
    await installStronger();
    const image = guestImage();
    image.catch(() => {}); // awaited below
    await buildAgent(folder, sources);
    await image;
  });
  return join(folder, "agent");
};

/** The environment for a program run by `node`: that Node comes first on the PATH, so that its children find it too. */
/** Folder of PostgreSQL's own programs, or null: where Debian puts them, the newest first, or in PATH. */
const postgresFolder = () => {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, "bin")), ...(process.env.PATH || "").split(delimiter)];
  return folders.find((folder) => ["initdb", "postgres", "psql"].every((name) => folder && existsSync(join(folder, name)))) || null;
};

/** PostgreSQL for tests and benchmarks, installed by apt when this is root, without a cluster of the system's own; resolves with the folder of its programs. Throws Hint when it cannot be had. */
export const postgres = async () => {
  const found = postgresFolder();
  if (found) return found;
  if (!isRootWithApt()) throw new Hint("PostgreSQL is not installed. Install with: sudo apt install postgresql (or your system's way)");
  await alone("postgres", () =>
    progress("installing postgresql", async () => {
      const settings = "/etc/postgresql-common/createcluster.conf";
      if (!existsSync(settings)) {
        mkdirSync(dirname(settings), { recursive: true });
        writeFileSync(settings, "create_main_cluster = false\n");
      }
      await runQuietly("apt-get", ["update", "-q"], "refresh the list of packages");
      await runQuietly("apt-get", ["install", "-y", "-q", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "postgresql"], "install postgresql");
    }),
  );
  const folder = postgresFolder();
  if (!folder) throw new Hint("PostgreSQL was installed, and its programs are not where Debian puts them");
  return folder;
};

export const environment = (node, extra = {}) => ({ ...process.env, PATH: [dirname(node), process.env.PATH].filter(Boolean).join(delimiter), ...extra });

/** Where Node keeps what it compiled: halves the time a command takes to start. */
export const compileCache = () => join(cachePath(), "compiled");

/** Node never takes anything out of it, and each change of a source adds to it: past so many files of one version of Node it begins anew. */
const mostCompiled = 30_000;
export const boundCompileCache = () => {
  const versions = existsSync(compileCache()) ? readdirSync(compileCache()) : [];
  for (const folder of versions.map((version) => join(compileCache(), version))) if (readdirSync(folder).length > mostCompiled) rmSync(folder, { recursive: true, force: true });
};

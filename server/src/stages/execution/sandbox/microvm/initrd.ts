import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folderMode, programMode, fileMode] = [0o040_755, 0o100_755, 0o100_644];

/** The first files of a machine, as the kernel unpacks them: the agent as /init, and the modules it loads. A cpio archive, form `newc`. */
export function initrd(agent: string, modules: string): Buffer {
  const names = readdirSync(modules).sort();
  const entries = [
    ...["dev", "proc", "sys", "modules"].map((name) => entry(name, folderMode)),
    entry("init", programMode, readFileSync(agent)),
    ...names.map((name) => entry(`modules/${name}`, fileMode, withoutSignature(readFileSync(join(modules, name))))),
    entry("TRAILER!!!", 0),
  ];
  return Buffer.concat(entries);
}

function entry(name: string, mode: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const [inode, owner, group, links, modified, devices, checksum] = [0, 0, 0, 1, 0, [0, 0, 0, 0], 0];
  const numbers = [inode, mode, owner, group, links, modified, content.length, ...devices, name.length + 1, checksum];
  const head = Buffer.from(`070701${numbers.map((value) => value.toString(16).padStart(8, "0")).join("")}${name}\0`, "latin1");
  return Buffer.concat([padded(head), padded(content)]);
}

const signed = Buffer.from("~Module signature appended~\n");

/**
 * A module as it was before Debian signed it: `module | signature | 12 bytes, the last four its length | words`. An emulated processor would take longer over the
 * signatures than over all else that it loads, and who could change a module here could change the kernel that checks it: both are sealed by hash instead.
 */
function withoutSignature(module: Buffer): Buffer {
  const end = module.length - signed.length;
  return end >= 12 && module.subarray(end).equals(signed) ? module.subarray(0, end - 12 - module.readUInt32BE(end - 4)) : module;
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

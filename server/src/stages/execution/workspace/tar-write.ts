// Tar archives (POSIX.1-2001 pax over ustar), as far as a workspace needs them: folders, files, symbolic links.

export interface TarMember {
  /** Relative, `/` between names, without `.` or `..`. */
  readonly path: string;
  readonly kind: "folder" | "file" | "link";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes of content that follow; 0 for anything but a file. */
  readonly size: number;
  /** Seconds. */
  readonly modifiedAt: number;
  /** Where a link leads; empty for anything else. */
  readonly target: string;
}

export const blockBytes = 512;
const maxUstarBytes = 0o77777777777;
const typeFlags = { file: "0", link: "2", folder: "5" } as const;

/** What comes before a member's content. */
export function tarHeader({ path, kind, mode, size, modifiedAt, target }: TarMember): Buffer {
  const name = Buffer.from(kind === "folder" ? `${path}/` : path);
  const link = Buffer.from(target);
  const extra = [
    ...(name.length > 100 ? [paxRecord("path", name)] : []),
    ...(link.length > 100 ? [paxRecord("linkpath", link)] : []),
    ...(size > maxUstarBytes ? [paxRecord("size", Buffer.from(String(size)))] : []),
  ];
  const pax = Buffer.concat(extra);
  const main = header(name, typeFlags[kind], mode, size > maxUstarBytes ? 0 : size, modifiedAt, link);
  if (pax.length === 0) return main;
  return Buffer.concat([header(Buffer.from("pax"), "x", 0o644, pax.length, 0, Buffer.alloc(0)), pax, tarPadding(pax.length), main]);
}

/** What fills a member's last block. */
export const tarPadding = (size: number): Buffer => Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);

/** What ends an archive. */
export const tarEnd = (): Buffer => Buffer.alloc(2 * blockBytes);

/** `length key=value\n`, where the length counts its own digits too. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function header(name: Buffer, type: string, mode: number, size: number, modifiedAt: number, link: Buffer): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): void => void block.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  name.copy(block, 0, 0, 100);
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(Math.min(Math.max(0, Math.floor(modifiedAt)), maxUstarBytes), 136, 11);
  block.fill(" ", 148, 156);
  block.write(type, 156, "latin1");
  link.copy(block, 157, 0, 100);
  block.write("ustar\u000000", 257, "latin1");
  octal(checksum(block), 148, 6);
  block[154] = 0;
  return block;
}

/** The sum of a header's bytes, its own field taken as blanks. */
export function checksum(block: Buffer): number {
  let sum = 8 * 32;
  for (let at = 0; at < blockBytes; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return sum;
}

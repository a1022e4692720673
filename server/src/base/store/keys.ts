import { createSecretKey, type KeyObject } from "node:crypto";
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault } from "@lanyard/contract";
import { newSigner, parseSigner, type Signer } from "@lanyard/ledger";
import type { Clock } from "../clock.ts";

/** Secrets of a data folder: what signs checkpoints and what wraps subjects' keys. */
export interface Keys {
  readonly signer: Signer;
  readonly tenant: Buffer;
}

const files = { signer: "ledger.key", tenant: "tenant.key", verifier: "ledger.vkey" } as const;

/** Makes the data folder readable to its owner only. */
export const ownFolder = (folder: string): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
};

// Written whole and synced before it gets its name: a crash leaves either no key or the key, never half of one.
const keep = (path: string, text: string, mode: number): void => {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  const file = openSync(draft, "wx", mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
};

const read = (path: string): string | null => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    if ((cause as { code?: string }).code === "ENOENT") return null;
    throw cause;
  }
};

/** Reads the keys of a data folder. Throws Fault `invalid_config` when they are missing or no keys. */
export const readKeys = (folder: string): Keys => {
  const [signer, tenant] = [read(join(folder, files.signer)), read(join(folder, files.tenant))];
  if (signer === null || tenant === null) throw new Fault("invalid_config", `reading the keys in \`${folder}\`: \`${signer === null ? files.signer : files.tenant}\` is missing`);
  const bytes = Buffer.from(tenant, "base64url");
  if (bytes.length !== 32) throw new Fault("invalid_config", `reading the keys in \`${folder}\`: \`${files.tenant}\` is no key`);
  try {
    return { signer: parseSigner(signer), tenant: bytes };
  } catch (cause) {
    throw new Fault("invalid_config", `reading the keys in \`${folder}\`: \`${files.signer}\` is no key`, { cause });
  }
};

/** The public key of a data folder, as text. Throws Fault `invalid_config` when it is missing. */
export const readVerifier = (folder: string): string => {
  const vkey = read(join(folder, files.verifier));
  if (vkey === null) throw new Fault("invalid_config", `reading the keys in \`${folder}\`: \`${files.verifier}\` is missing`);
  return vkey;
};

/** The key that unwraps subjects' keys; null where an auditor was given the ledger without it. */
export const readTenant = (folder: string): KeyObject | null => {
  const tenant = read(join(folder, files.tenant));
  return tenant === null ? null : createSecretKey(Buffer.from(tenant, "base64url"));
};

/** Makes keys on first use, files of mode 0600. The ledger's name is made with them and never changes. */
export const makeKeys = (folder: string, clock: Clock): Keys => {
  if (read(join(folder, files.tenant)) === null) keep(join(folder, files.tenant), `${clock.random(32).toString("base64url")}\n`, 0o600);
  if (read(join(folder, files.signer)) === null) {
    const signer = newSigner(`lanyard.local/${clock.random(9).toString("base64url")}`);
    keep(join(folder, files.verifier), `${signer.vkey}\n`, 0o644);
    keep(join(folder, files.signer), `${signer.skey}\n`, 0o600);
  }
  return readKeys(folder);
};

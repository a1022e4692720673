import { createECDH, hash } from "node:crypto";
import { isIP } from "node:net";
import type { Server } from "node:tls";
import type * as X509Package from "@peculiar/x509";
import type { Clock } from "../../../base/clock.ts";
import { endpointText, type Endpoint } from "../../../base/host.ts";

interface Keys {
  readonly privateKey: InstanceType<typeof CryptoKey>;
  readonly publicKey: InstanceType<typeof CryptoKey>;
}

/** Loaded when the first sandbox needs it: most daemons and all other verbs do without. */
async function x509(): Promise<typeof X509Package> {
  await import("reflect-metadata"); // which the other needs to find there
  return import("@peculiar/x509");
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const skewMs = 3_600_000;

/**
 * The certificate authority of one session, for no longer than the session lives: only what runs in its sandbox trusts it, and what it has signed is
 * worth nothing anywhere else.
 */
export class SessionAuthority {
  readonly #clock: Clock;
  readonly #root: X509Package.X509Certificate;
  readonly #rootKeys: Keys;
  readonly #leafKeys: Keys;
  readonly #leafPem: string;
  readonly #limit: number;
  readonly #servers = new Map<string, Promise<Server>>();
  readonly #untilMs: number;

  private constructor(parts: { clock: Clock; root: X509Package.X509Certificate; rootKeys: Keys; leafKeys: Keys; leafPem: string; limit: number; untilMs: number }) {
    this.#clock = parts.clock;
    this.#root = parts.root;
    this.#rootKeys = parts.rootKeys;
    this.#leafKeys = parts.leafKeys;
    this.#leafPem = parts.leafPem;
    this.#limit = parts.limit;
    this.#untilMs = parts.untilMs;
  }

  /** `secret`: 32 bytes that the authority's key is made of, so that a daemon that was started again has the same; `hosts`: endpoints kept ready. */
  static async create({ clock, session, secret, untilMs, hosts }: { clock: Clock; session: string; secret: Buffer; untilMs: number; hosts: number }): Promise<SessionAuthority> {
    const [{ BasicConstraintsExtension, KeyUsageFlags, KeyUsagesExtension, PemConverter, SubjectKeyIdentifierExtension, X509CertificateGenerator }, rootKeys, leafKeys] = await Promise.all([x509(), keysOf(secret), newKeys()]);
    const root = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(clock),
      name: [{ CN: [`Lanyard session ${session}`] }],
      notBefore: new Date(clock.nowMs() - skewMs),
      notAfter: new Date(untilMs + skewMs),
      signingAlgorithm: algorithm,
      keys: rootKeys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(rootKeys.publicKey),
      ],
    });
    const leafPem = PemConverter.encode(await crypto.subtle.exportKey("pkcs8", leafKeys.privateKey), "PRIVATE KEY");
    return new SessionAuthority({ clock, root, rootKeys, leafKeys, leafPem, limit: hosts, untilMs });
  }

  /** What the sandbox trusts, in PEM. */
  get pem(): string {
    return `${this.#root.toString("pem")}\n`;
  }

  /** What speaks TLS as this endpoint, made when it is first asked for. */
  serverFor({ host, port }: Endpoint, make: (material: { key: string; cert: string }) => Server): Promise<Server> {
    const name = endpointText({ host, port });
    const known = this.#servers.get(name);
    if (known) return known;
    if (this.#servers.size >= this.#limit) this.#servers.delete(this.#servers.keys().next().value ?? "");
    const made = this.materialFor(host).then(make);
    this.#servers.set(name, made);
    return made;
  }

  /** Key and certificate of a host, in PEM. */
  async materialFor(host: string): Promise<{ key: string; cert: string }> {
    const { AuthorityKeyIdentifierExtension, BasicConstraintsExtension, ExtendedKeyUsage, ExtendedKeyUsageExtension, KeyUsageFlags, KeyUsagesExtension, SubjectAlternativeNameExtension, SubjectKeyIdentifierExtension, X509CertificateGenerator } = await x509();
    const leaf = await X509CertificateGenerator.create({
      serialNumber: serial(this.#clock),
      subject: [{ CN: [host.slice(0, 64)] }],
      issuer: this.#root.subjectName,
      notBefore: new Date(this.#clock.nowMs() - skewMs),
      notAfter: new Date(this.#untilMs + skewMs),
      signingAlgorithm: algorithm,
      publicKey: this.#leafKeys.publicKey,
      signingKey: this.#rootKeys.privateKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([{ type: isIP(host) ? "ip" : "dns", value: host }]),
        await SubjectKeyIdentifierExtension.create(this.#leafKeys.publicKey),
        await AuthorityKeyIdentifierExtension.create(this.#root),
      ],
    });
    return { key: this.#leafPem, cert: `${leaf.toString("pem")}\n${this.pem}` };
  }
}

const newKeys = (): Promise<Keys> => crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

/** The key pair of a secret: its hash as the private number, hashed on should it be none (one in 2^32). */
async function keysOf(secret: Buffer): Promise<Keys> {
  const pair = createECDH("prime256v1");
  let number = secret;
  for (let valid = false; !valid; ) {
    number = hash("sha256", number, "buffer");
    try {
      pair.setPrivateKey(number);
      valid = true;
    } catch {
      // Zero, or not below the group's order.
    }
  }
  const point = pair.getPublicKey();
  const coordinate = (from: number) => point.subarray(from, from + 32).toString("base64url");
  const publicJwk = { kty: "EC", crv: "P-256", x: coordinate(1), y: coordinate(33) };
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey("jwk", { ...publicJwk, d: number.toString("base64url") }, algorithm, true, ["sign"]),
    crypto.subtle.importKey("jwk", publicJwk, algorithm, true, ["verify"]),
  ]);
  return { privateKey, publicKey };
}

/** 126 random bits below a first byte that keeps the number positive and of full length (RFC 5280, 4.1.2.2). */
const serial = (clock: Clock): string => {
  const bytes = clock.random(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
};

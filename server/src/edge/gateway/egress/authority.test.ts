import { X509Certificate } from "node:crypto";
import { createServer, type Server } from "node:tls";
import { expect, test } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { SessionAuthority } from "./authority.ts";

const create = (hosts = 8, secret = "first") => SessionAuthority.create({ clock: systemClock, session: "ses_1", secret: Buffer.from(secret), untilMs: systemClock.nowMs() + 60_000, hosts });

test("certificates are of one host each, signed by an authority that can make nothing but such, and end with the session", async () => {
  const authority = await create();
  const root = new X509Certificate(authority.pem);
  expect([root.ca, root.verify(root.publicKey), root.subject]).toEqual([true, true, "CN=Lanyard session ses_1"]);
  for (const [host, name] of [["api.example.com", "DNS:api.example.com"], ["127.0.0.2", "IP Address:127.0.0.2"], ["2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1"]] as const) {
    const leaf = new X509Certificate((await authority.materialFor(host)).cert);
    expect([leaf.ca, leaf.verify(root.publicKey), leaf.subjectAltName, leaf.keyUsage]).toEqual([false, true, name, ["1.3.6.1.5.5.7.3.1"]]);
    expect(Date.parse(leaf.validTo) - systemClock.nowMs()).toBeLessThan(2 * 3_600_000);
  }
  expect(new X509Certificate((await create(8, "second")).pem).verify(root.publicKey)).toBe(false);
});

test("whoever trusted it before the daemon was started again trusts it still", async () => {
  const [before, after] = [new X509Certificate((await create()).pem), await create()];
  const leaf = new X509Certificate((await after.materialFor("api.example.com")).cert);
  expect([leaf.verify(before.publicKey), leaf.checkIssued(before)]).toEqual([true, true]);
});

test("limit egress_hosts: endpoints past it take the place of the one made first", async () => {
  const authority = await create(2);
  const made: string[] = [];
  const serverFor = (host: string): Promise<Server> => authority.serverFor({ host, port: 443 }, (material) => (made.push(host), createServer(material)));
  for (const host of ["a.test", "b.test", "a.test", "c.test", "b.test", "a.test"]) await serverFor(host);
  expect(made).toEqual(["a.test", "b.test", "c.test", "a.test"]);
});

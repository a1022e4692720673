import { BlockList, isIPv4, isIPv6 } from "node:net";

// Where nothing is sent, by the registries of special addresses (RFC 6890 and its IANA tables) and what clouds put there.
const ranges: readonly (readonly [prefix: string, why: string])[] = [
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "shared by carriers"],
  ["127.0.0.0/8", "this machine"],
  ["169.254.0.0/16", "link-local, and the metadata of clouds"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "protocol assignments"],
  ["192.88.99.0/24", "6to4 relays"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "benchmarks"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved, and broadcast"],
  ["168.63.129.16/32", "the metadata of a cloud"],
  ["2001::/23", "protocol assignments, Teredo among them"],
  ["2002::/16", "an IPv4 address in disguise"],
  ["3fff::/20", "documentation"],
];

function listOf(prefix: string): BlockList {
  const [address = "", bits = ""] = prefix.split("/");
  const list = new BlockList();
  list.addSubnet(address, Number(bits), isIPv6(address) ? "ipv6" : "ipv4");
  return list;
}

const table = ranges.map(([prefix, why]) => ({ list: listOf(prefix), why, family: prefix.includes(":") ? "ipv6" : "ipv4" }) as const);

// All that is routed; what lies outside is private, link-local, multicast, this machine, or an IPv4 address in disguise (mapped, NAT64).
const globalIPv6 = listOf("2000::/3");

/** Why nothing is sent to an address; null when it is a public one. What is no address at all is refused too. */
export function whyRefused(address: string): string | null {
  const family = isIPv4(address) ? "ipv4" : isIPv6(address) ? "ipv6" : null;
  if (family === null) return "no address";
  if (family === "ipv6" && !globalIPv6.check(address, "ipv6")) return "no global address";
  // BlockList holds an IPv4-mapped address against the IPv4 subnets as well; each address is looked up among its own kind only.
  return table.find((row) => row.family === family && row.list.check(address, family))?.why ?? null;
}

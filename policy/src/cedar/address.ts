import { fail } from "./fault.ts";
import { IpValue } from "./value.ts";

// The texts of Cedar's `ip`: an address as the Rust library reads it, with or without the length of a prefix.

const bits = { v4: 32, v6: 128 } as const;

/** The length of 'ABCD:EF01:2345:6789:ABCD:EF01:2345:6789/128' in bytes. */
const longest = 43;

const refuse = (message: string): never => fail(`error while evaluating \`ipaddr\` extension function: ${message}`);

/** Throws an EvaluationFault on a text that is no address or range. */
export const parseIp = (text: string): IpValue => {
  if (text.length > longest || new TextEncoder().encode(text).length > longest) return refuse(`error parsing IP address from string \`${text}\`: string length is too large`);
  if (/:.*:/s.test(text) && /\..*\./s.test(text)) {
    return refuse(`error parsing IP address from string: We do not accept IPv4 embedded in IPv6 (e.g., ::ffff:127.0.0.1). Found: \`${text}\``);
  }
  const slash = text.indexOf("/");
  const written = slash < 0 ? text : text.slice(0, slash);
  const v4 = parseV4(written);
  const address = v4 ?? parseV6(written);
  if (address === null) return refuse(slash < 0 ? `invalid IP address: ${text}` : `error parsing IP address from the string \`${written}\`: invalid IP address syntax`);
  const limit = v4 === null ? bits.v6 : bits.v4;
  return new IpValue(v4 === null, address, slash < 0 ? limit : parsePrefix(text.slice(slash + 1), limit));
};

const parsePrefix = (text: string, limit: number): number => {
  const size = new TextEncoder().encode(text).length;
  if (size > String(limit).length) return refuse(`error parsing prefix: string length ${size} is too large`);
  if (/[^0-9]/.test(text)) return refuse(`error parsing prefix \`${text}\`: encountered non-digit`);
  if (text.startsWith("0") && text !== "0") return refuse(`error parsing prefix \`${text}\`: leading zero(s)`);
  if (text === "") return refuse("error parsing prefix from the string ``: cannot parse integer from empty string");
  const prefix = Number(text);
  if (prefix > 255) return refuse(`error parsing prefix from the string \`${text}\`: number too large to fit in target type`);
  return prefix > limit ? refuse(`error parsing prefix: ${prefix} is larger than the limit ${limit}`) : prefix;
};

const parseV4 = (text: string): bigint | null => {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)) return null;
  return parts.reduce((address, part) => address * 256n + BigInt(part), 0n);
};

/** Eight groups, or fewer around one `::` that stands for one or more groups of zeros. */
const parseV6 = (text: string): bigint | null => {
  const halves = text.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const [head = [], tail] = halves;
  const given = head.length + (tail?.length ?? 0);
  if (halves.length > 2 || (tail === undefined ? given !== 8 : given > 7)) return null;
  const groups = [...head, ...Array.from({ length: 8 - given }, () => "0"), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  return groups.reduce((address, group) => address * 65536n + BigInt(`0x${group}`), 0n);
};

export const isInRange = (inner: IpValue, outer: IpValue): boolean => {
  if (inner.v6 !== outer.v6 || inner.prefix < outer.prefix) return false;
  const hostBits = BigInt((outer.v6 ? bits.v6 : bits.v4) - outer.prefix);
  return inner.address >> hostBits === outer.address >> hostBits;
};

/** 127.0.0.0/8 or ::1. */
export const isLoopback = ({ v6, address, prefix }: IpValue): boolean => (v6 ? address === 1n && prefix === bits.v6 : address >> 24n === 127n && prefix >= 8);

/** 224.0.0.0/4 or ff00::/8. */
export const isMulticast = ({ v6, address, prefix }: IpValue): boolean => (v6 ? address >> 120n === 0xffn && prefix >= 8 : address >> 28n === 14n && prefix >= 4);

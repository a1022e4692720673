import type { ArgumentRole } from "@lanyard/contract";

// What an argument is for, by its name. The last word says what it is, those before it which: `recipient_email`, `emailBody`.

const rows: readonly (readonly [ArgumentRole, string])[] = [
  ["recipient", "to cc bcc rcpt rcpts addressee addressees recipient recipients iban account accounts payee beneficiary webhook channel channels email emails address addresses participant participants attendee attendees invitee invitees receiver receivers phone mobile bic swift assignee assignees reviewer reviewers member members contact contacts audience wallet destinee callback"],
  ["target", "id ids path paths file files filename folder directory dir repo repository owner table database db name names key keys resource resources host hostname hosts url urls uri uris href link domain branch issue project bucket source destination ref sha record customer order user users ticket page document doc collection index queue topic instance cluster namespace service event thread server port origin remote scheme cwd root"],
  ["amount", "amount amounts price total sum cost fee budget cents quantity"],
  ["content", "body text message messages content contents subject description title comment comments html markdown data payload note notes summary prompt value values query q question caption reason memo template input attachments attachment details instructions keywords headers metadata old new replacement"],
  ["command", "sql command commands cmd script shell bash code argv statement statements expression program snippet args"],
];
const byWord: ReadonlyMap<string, ArgumentRole> = new Map(rows.flatMap(([role, words]) => words.split(" ").map((word) => [word, role] as const)));

/** Words that are nothing by themselves and take the meaning of what comes before: `account_number`, `channel_id`, `to_address`. */
const suffixes = new Set(["id", "ids", "number", "no", "name", "names", "list", "text", "value", "address", "addresses", "handle", "key"]);
const languages = new Set("source program python py javascript js typescript ts node sql shell bash script r ruby java cell test html css notebook kernel sandbox the my new".split(" "));
const leading = new Set<string>(["recipient", "recipients", "to", "cc", "bcc", "iban", "account", "payee", "beneficiary", "webhook", "channel", "attendee", "participant", "receiver", "assignee", "reviewer", "invitee", "callback", "amount", "sql"]);

/** Of what `to` says how far it goes, and not to whom: `date_to`, `to_time`, `valid_to`. */
const spans = new Set("date dates time times day days week month year hour hours valid range period line row page version".split(" "));

/** Worst last: what an object is for that has several of them in it. */
const order: readonly ArgumentRole[] = ["other", "content", "target", "command", "amount", "recipient"];

export function roleOfName(words: readonly string[]): ArgumentRole {
  const last = words.at(-1);
  if (last === undefined) return "other";
  const before = words.at(-2);
  if (words.length > 1 && words.includes("to") && words.some((word) => spans.has(word))) return "other";
  if (before !== undefined && leading.has(before) && suffixes.has(last)) return byWord.get(before) ?? "other";
  if (words.length > 1 && (words[0] === "recipient" || words[0] === "to")) return "recipient";
  if (before !== undefined && !byWord.has(before) && (last === "no" || last === "number")) return "target"; // `part_no`
  if (last === "code" && before !== undefined && !languages.has(before)) return "other"; // `event_code` is no program
  return byWord.get(last) ?? (before !== undefined && suffixes.has(last) ? byWord.get(before) : undefined) ?? "other";
}

/** Names of whoever gets something, where it is known that something is sent; elsewhere they mean many things. */
const addressees = new Set("dest destination room who chat audience user users username usernames handle peer group groups team".split(" "));
export const isAddressee = (words: readonly string[]): boolean => words.some((word, at) => addressees.has(word) && (at === words.length - 1 || suffixes.has(words.at(-1) ?? "") || words.at(-1) === "ref"));

export const weightier = (one: ArgumentRole, other: ArgumentRole): ArgumentRole => (order.indexOf(other) > order.indexOf(one) ? other : one);

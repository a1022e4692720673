import { compatible, isAscii } from "../compatible.ts";
import { isIban } from "../labels/checksums.ts";
import { cardsIn, emailsIn, ibanFormsIn } from "../labels/personal.ts";
import { unfold } from "./unfold.ts";
import { wordsOf } from "./words.ts";

// To whom money would go: numbers of accounts and cards and addresses, wherever in a text they stand.

/** Addresses of wallets, by the form that a chain gives them. */
const wallet = /\b0x[0-9a-f]{40}\b|\bbc1[02-9ac-hj-np-z]{25,87}\b/gi;
/** Words that a bank's number stands behind; `account number` alone is also what shops call their customers by. */
const banks = /\b(?:bank (?:account|details|number)|bank|iban|sort code|routing|aba|bsb|clabe|bic|swift|bankgiro|plusgiro|konto(?:nummer|nr)?|kontonr|wallet|payee|beneficiary|remit|wire|transfer|pay)\b/i;
const numbered = /\b(?:bank (?:account|details|number)|account(?: (?:no|number|nr))?|acct|a c|iban|sort code|routing(?: (?:no|number))?|aba|bsb|clabe|bankgiro|plusgiro|konto(?:nummer|nr)?|kontonr)\b[^\d\n]{0,24}(\d(?: ?\d){6,19})(?![\w-]*[a-z])/gi;

/** With one blank for whatever parts the groups of a number. */
const flat = (text: string): string => compatible(text).replace(/[\s.·_/\u2010-\u2015-]+/g, " ");

/** A number with the words behind it, `PK0071883462 has been at`, which has the form of an account's and not its check digits. */
const isSentence = (written: string, plain: string): boolean => /^[A-Z]{2}/.test(written) && / [a-z]{2,}(?= |$)/.test(written) && !isIban(plain);

/** Numbers of accounts in a text, in the form that one has by itself; what says so may be the name of its argument. */
export function accountsIn(text: string, name: string): readonly string[] {
  if (isAscii(text) && !/\d/.test(text)) return none;
  const found: string[] = [];
  const even = flat(text);
  const others: string[] = [];
  let at = 0;
  for (const { plain, start, end } of ibanFormsIn(even)) {
    if (isSentence(even.slice(start, end), plain)) continue;
    found.push(plain);
    others.push(even.slice(at, start));
    at = end;
  }
  const rest = [...others, even.slice(at)].join(";");
  for (const [one] of rest.matchAll(wallet)) found.push(one);
  const said = `${wordsOf(name).join(" ")}: ${rest}`;
  if (banks.test(said)) for (const [, one = ""] of said.matchAll(numbered)) found.push(one);
  return found;
}

const none: readonly string[] = [];

/** Accounts, cards and e-mail addresses in a text, behind encodings too. */
export function payeesIn(text: string, name: string): readonly string[] {
  if (isAscii(text) && !/[\d@]/.test(text)) return none;
  return unfold(text).flatMap((view) => {
    const said = compatible(view.text);
    return [...accountsIn(said, name), ...[...cardsIn(said, name), ...(said.includes("@") ? emailsIn(said) : [])].map(({ start, end }) => said.slice(start, end))];
  });
}

/** Names of arguments that say who pays. */
const payers: ReadonlySet<string> = new Set(["from", "sender", "source"]);
export const isPayer = (name: string): boolean => payers.has(wordsOf(name)[0] ?? "");

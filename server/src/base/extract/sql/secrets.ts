import { stemOf } from "../stem.ts";
import { wordsOf } from "../words.ts";

// Columns that hold what nobody reads to answer a question: known by their names alone, since nobody says what is in them.

const one = "pass(?:word|wd|phrase|code)|pwd|secret|token|credential|otp|totp|cvv|cvc|iban|ssn|salt";
const two = "(?:api|access|private|signing|encryption|secret|auth|ssh)_?key|(?:card|credit_?card|pan|passport|national_?id|social_?security|bank_?account|account)_?(?:number|num|no)|(?:recovery|backup|security|mfa|two_?factor)_?codes?|national_?id|social_?security|pan";
const secret = new RegExp(`(?:^|_)(?:user_?|client_?|hashed_?)?(?:${one}|${two})s?(?:_?hash(?:ed)?|_?digest)?(?:_(?:hash|digest|enc|encrypted|value|plain|cipher|text|old|new))*$`);
/** Not of what counts, dates or says whether there is one. */
const about = /^(?:is|has|had|can|needs?|num|count|max|min|total|avg|n|prompt|completion|input|output|usage|used|design)_|(?:^|_)tokens$/;
/** Tables of nothing else. */
const store = /(?:^|_)(?:passwords|secrets|credentials|(?:api|access|private|ssh|auth|signing)_?keys|(?:auth|access|refresh|session|reset|api)_?tokens|ibans|recovery_?codes|backup_?codes)$/;
/** Words of such names that are not what they are called by. */
const filling = new Set("hash hashed digest number num no enc encrypted value plain cipher text old new user client customer id s".split(" "));

/** A name in lower case, its words parted by `_`. */
const plain = (name: string): string => wordsOf(name).join("_");

/** Whether a column's name says that it holds a key, a password or a hash of one, or the number of a card, an account or a paper. */
export const namesSecret = (name: string): boolean => {
  const own = plain(name);
  return secret.test(own) && !about.test(own);
};

/** Whether a table's name says that it holds such things alone. */
export const holdsSecrets = (table: string): boolean => store.test(plain(table.split(".").at(-1) ?? ""));

/** Whether words, by their stems, name a column or table of those: all that it is called by, such as `card` and `token`. */
export const isNamedBy = (stems: ReadonlySet<string>, name: string): boolean => {
  const words = wordsOf(name).filter((word) => !filling.has(word));
  return words.length > 0 && words.every((word) => stems.has(stemOf(word)));
};

import { names, remembered } from "../remembered.ts";
import { wordsOf } from "../extract/words.ts";
import { noSpans, type Span } from "./span.ts";

// What a tool gives back that makes, changes or shows keys: short ones have no format by which they would be known.

const things = /\b(?:passwords?|passphrases?|passcodes?|secrets?|credentials?|apikeys?|(?:api|access|ssh|private|secret|deploy|signing|service|session|auth|bearer|refresh) (?:keys?|tokens?)|(?:create|generate|issue|rotate|mint|reset|renew) (?:keys?|tokens?)|connection strings?)$/;
const removing = /^(?:delete|remove|revoke|disable|list|check|verify|describe)\b/;

/** Whether a tool's name says that it hands out keys: `create_access_key`, `reset_password`, `get_secret`. */
export const handsOutKeys = remembered(names, (tool) => {
  const name = wordsOf(tool).join(" ");
  return things.test(name) && !removing.test(name);
});

const word = /[^\s"'`,;<>(){}[\]]{6,128}/g;
const isKeyLike = (text: string): boolean => /\d/.test(text) && /[A-Za-z]/.test(text) && !/^\d{4}-\d\d|^https?:|@[\w-]+\./.test(text);

/** Fields that say which key it is, whose and for what, and not the key. */
const naming = new Set("id no number ref reference room booking user name email holder owner status state type created expires until replaces".split(" "));

/** Words of such a result that may be keys. `field`: the name that a text has in it. */
export function keysIn(text: string, field = ""): readonly Span[] {
  if (naming.has(wordsOf(field).at(-1) ?? "")) return noSpans;
  const found: Span[] = [];
  for (const { 0: one, index } of text.matchAll(word)) if (isKeyLike(one)) found.push({ label: "credential", start: index, end: index + one.length });
  return found.length === 0 ? noSpans : found;
}

import { sign } from "./signs.ts";
import { noSpans, type Span } from "./span.ts";

// Secrets without a format of their own: known by the word they are given to, and by how little a reader could guess them.

const word = "(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_ -]?key|access[_ -]?key(?:[_ -]?id)?|auth[_ -]?key|signing[_ -]?key|encryption[_ -]?key|private[_ -]?key|account[_ -]?key|client[_ -]?secret|credentials?|kennwort|passwort|contraseña|mot de passe|senha)";
const assignment = new RegExp(`(${word})(?:[_ -]?(?:value|hash|key|prod|production|staging|dev|test|live)|(?<!pass(?:word|wd|phrase|code)?)[_ -]?id)?["'\`\\])]{0,3}[ \\t]{0,8}(?:is[ \\t]|=>|:=|==|[:=]|\\s[-–]\\s)[ \\t]{0,8}(["'\`]?)`, "giu");
const namesSecret = new RegExp(`(?:^|[^a-z])${word}(?:[_ -]?(?:value|prod|production|staging|dev|test|live))?$`, "iu");
const bearer = /\b(?:bearer|basic|token)[ \t]{1,4}(?=[A-Za-z0-9+/=._~-]{16})/gi;

const placeholder = /^(?:[<{[$%*(]|\.\.\.|x{4,}|•|none$|null$|nil$|true$|false$|undefined$|your|my[_-]|the[_-]|some[_-]|change[_-]?me|example|sample|dummy|redacted|\[|replace|insert|todo|password|passwd|secret|token|string|required|optional|n\/a$|env[.:(]|process\.env|os\.(?:environ|getenv)|get(?:env)?\(|config\.|settings\.|self\.|this\.|vault:|ref:|file:|https?:\/\/|tok_[A-Za-z0-9_-]{22}$)/i;
const isExpression = /[(){}]|::|->|^\w+(?:\.[a-zA-Z_]\w*)+$|^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;

/** Bits a letter, by how often each occurs. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const kindsOf = (text: string): number => [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((kind) => kind.test(text)).length;

const isGuess = (text: string): boolean => /^\d{1,7}$|^\d{4}-\d\d-\d\d|^v?\d+(?:\.\d+){1,3}(?:[-+][\w.]+)?$/.test(text);

/** Whether what is given to a word such as `password` or `token` is a value and not a name, a hint or a piece of code. */
function isSecretValue(value: string, keyword: string): boolean {
  if (placeholder.test(value) || isGuess(value)) return false;
  const isPassword = /^(?:pass|pwd|kennwort|passwort|contra|mot|senha)/i.test(keyword);
  if (isPassword) return value.length >= 6 && (kindsOf(value) >= 3 || (kindsOf(value) === 2 && /[\d\W]/.test(value) && entropyOf(value) >= 2.5 && !/^[a-z]+[-_][a-z_-]+$/i.test(value))) && !isExpression.test(value);
  return value.length >= 16 && /\d/.test(value) && /[A-Za-z]/.test(value) && entropyOf(value) >= 3 && !isExpression.test(value);
}

/** Too short to be told from a name with certainty, and given to such a word all the same. */
const isShortKey = (value: string): boolean =>
  value.length >= 8 && value.length < 64 && /\d/.test(value) && /[A-Za-z]/.test(value) && entropyOf(value) >= 2.5 && !placeholder.test(value) && !isGuess(value) && !isExpression.test(value) && !/[@/]/.test(value);

const valueEnd = /[^\s"'`,;<>\\]{1,512}/y;
const quotedEnd = { '"': /[^"\n\\]{1,512}/y, "'": /[^'\n\\]{1,512}/y, "`": /[^`\n\\]{1,512}/y } as const;

/** The word in a field's name that says that it holds a secret; null when there is none. */
export const secretWordIn = (context: string): string | null => (context === "" ? null : (namesSecret.exec(context)?.[0].replace(/^[^a-z]/i, "") ?? null));

/** `password = ...`, `"token": "..."`, `Authorization: Bearer ...`; and a whole text whose field is called so. `signs`: those of the text. */
export function assignedIn(text: string, secretWord: string | null, signs: number): readonly Span[] {
  const found: Span[] = [];
  if (signs & sign.assignment) for (let hit = first(assignment, text); hit; hit = assignment.exec(text)) take(found, assignment, text, hit.index + hit[0].length, hit[2] ?? "", hit[1] ?? "");
  if (signs & sign.credential) for (let hit = first(bearer, text); hit; hit = bearer.exec(text)) take(found, bearer, text, hit.index + hit[0].length, "", "token");
  const value = secretWord === null || text.length > 512 ? "" : text.trim();
  if (secretWord !== null && value !== "" && !/\s/.test(value) && isSecretValue(value, secretWord)) found.push({ label: "secret", start: text.indexOf(value), end: text.indexOf(value) + value.length });
  return found.length === 0 ? noSpans : found;
}

function first(pattern: RegExp, text: string): RegExpExecArray | null {
  pattern.lastIndex = 0;
  return pattern.exec(text);
}

/** The value that begins at `start`, if it is one. */
function take(found: Span[], pattern: RegExp, text: string, start: number, quote: string, keyword: string): void {
  const end = quote in quotedEnd ? quotedEnd[quote as keyof typeof quotedEnd] : valueEnd;
  end.lastIndex = start;
  const value = end.exec(text)?.[0].replace(/[.)\]}]{1,8}$/, "");
  if (value === undefined) return;
  const holds = isSecretValue(value, keyword);
  if (holds || isShortKey(value)) found.push({ label: holds ? "secret" : "credential", start, end: start + value.length });
  // What is long is not looked through again for words within it: the text would be read many times over.
  if (holds || value.length > 64) pattern.lastIndex = start + value.length;
}

const noPassword = /^(?:password|passwd|pass|pw|pwd|secret|x+|\*+|\.+|<.*|\$\{.*|\{.*|%.*|\[.*|your.*|redacted)$/i;
const longestUser = 128;

/** `postgres://user:password@host`, of any scheme: the password alone. */
export function urlPasswordsIn(text: string): readonly Span[] {
  let at = text.indexOf("://");
  if (at < 0) return noSpans;
  const found: Span[] = [];
  for (; at >= 0; at = text.indexOf("://", at + 3)) {
    const rest = text.slice(at + 3, at + 3 + 2 * longestUser);
    const userinfo = /^[^\s/?#:@"'<>]{0,128}:([^\s/?#"'<>]{1,128})@/.exec(rest);
    const password = userinfo?.[1];
    if (!userinfo || password === undefined || noPassword.test(password) || !/[A-Za-z0-9+.-]/.test(text[at - 1] ?? "")) continue;
    const start = at + 3 + userinfo[0].length - 1 - password.length;
    found.push({ label: "secret", start, end: start + password.length });
  }
  return found;
}

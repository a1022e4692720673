import type { ShellWord } from "./words.ts";

/** The host that a word names as a URL, as `host/path` or as `user@host:path`; null where it names none for certain. */
export function hostOf({ text, kind }: ShellWord): string | null {
  if (kind !== "sure" || /[\s\\{}<>"^|`\p{C}]/u.test(text) || (text.match(/@/g) ?? []).length > 1) return null;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === "file") return null;
  const bare = scheme ? text.slice(scheme.length + 3) : text.replace(/^([\w.-]+@[\w.-]+|[\w-]+(?:\.[\w-]+)+):(?!\d)(.*)$/, "$1/$2");
  try {
    return new URL(`http://${bare}`).hostname.replace(/\.$/, "") || null;
  } catch {
    return null;
  }
}

/** Words that carry a URL anywhere, whatever program gets them. */
export const urlsIn = (text: string): readonly string[] => text.match(/[a-z][a-z0-9+.-]*:\/\/[^\s'"<>|;)]+/gi) ?? [];

/** What of a word names a file: the word, the value after `=`, `@` or a short option, a `file:` URL. Null where nothing looks like one. */
export function pathIn(text: string): string | null {
  const file = /^file:\/\/[^/]*(\/.*)$/i.exec(text)?.[1];
  if (file) return file;
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) return null;
  const value = /^(?:--?[\w-]+=|\w+=|@|-[A-Za-z](?=[/~.])|\w+=@)(@?)(.*)$/.exec(text)?.[2] ?? text;
  return /^(\.|~|\/)|\/|^\w[\w-]*\.\w{1,8}$/.test(value) && !/\s/.test(value.trim()) && !value.startsWith("-") ? value : null;
}

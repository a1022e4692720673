// The forms in which a text can hide in another: what is looked for in requests is decoded, what is taken out of answers is encoded.

/** Layers of encoding that are looked through, one in the other. */
const maxLayers = 3;
/** Of what surrounds a mark: more than any form of what it is the beginning of is long. */
const windowChars = 400;
/** Marks that are looked at one by one; a text with more of them is not looked through but taken to hold what is looked for. */
const maxMarks = 256;

const percentDecoded = (text: string): string => text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
const jsonDecoded = (text: string): string => text.replace(/\\u00([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/**
 * Finds what begins with `mark` (in any case) and that `accepts`, in whatever it could be encoded in: percent signs, JSON escapes, NULs between
 * letters, base64 and hexadecimal, and these in each other. Gives the decoded surroundings; null when there is nothing; the text itself when
 * it has too many marks to look at. There are encodings without end: these are the ones that tools use by themselves. Linear in the text.
 */
export function finder(mark: string, accepts: (text: string) => boolean): (text: string) => string | null {
  const forms = formsOfMark(mark);
  const look = (text: string): string | null => {
    if (accepts(text)) return text;
    let marks = 0;
    for (const form of forms) {
      for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) {
        if (++marks > maxMarks) return text;
        const found = readings(text.slice(Math.max(0, at - windowChars), at + windowChars)).find(accepts);
        if (found !== undefined) return found;
      }
    }
    return null;
  };
  return (text) => {
    const once = text.includes("%") ? percentDecoded(text) : text;
    const twice = once !== text && once.includes("%") ? percentDecoded(once) : once;
    const unescaped = text.includes("\\u00") ? jsonDecoded(text) : text;
    const close = text.includes("\0") ? text.replaceAll("\0", "") : text;
    for (const reading of new Set([text, once, twice, unescaped, close])) {
      const found = look(reading);
      if (found !== null) return found;
    }
    return null;
  };
}

function formsOfMark(mark: string): string[] {
  const plain = [mark, mark.toUpperCase()].map((text) => Buffer.from(text));
  const base64 = plain.flatMap((bytes) => [0, 1, 2].map((before) => base64Core(bytes, before)));
  const twice = base64.flatMap((core) => [0, 1, 2].map((before) => base64Core(Buffer.from(core), before)));
  const hex = plain.flatMap((bytes) => [bytes.toString("hex"), bytes.toString("hex").toUpperCase()]);
  return [...new Set([...base64, ...twice, ...hex])];
}

/** What a short text says: itself, and what it stands for in each encoding in turn. */
function* readings(text: string): Generator<string> {
  let layer = [text];
  for (let depth = 0; depth <= maxLayers && layer.length > 0; depth++) {
    yield* layer;
    layer = [...new Set(layer.flatMap(decoded))];
  }
}

function decoded(text: string): string[] {
  // A run can begin before the encoded text does, since `/` and `-` are digits too: then it is one, two or three digits off.
  const base64 = [0, 1, 2, 3].map((skipped) => Array.from(text.matchAll(/[A-Za-z0-9+/_-]{32,}/g), ([run]) => Buffer.from(run.slice(skipped), "base64").toString("latin1")).join("\n"));
  const hex = [0, 1].map((skipped) => Array.from(text.matchAll(/[0-9a-f]{48,}/gi), ([run]) => Buffer.from(run.slice(skipped), "hex").toString("latin1")).join("\n"));
  return [percentDecoded(text), jsonDecoded(text), ...base64, ...hex].filter((other) => other !== text && other.length > 0);
}

/** The forms in which a value comes back: as it is, in base64 wherever it lies in what was encoded, percent-encoded as URLs, forms and Python do, in JSON, in HTML, in hexadecimal. */
export function formsOf(value: string): Buffer[] {
  const bytes = Buffer.from(value, "utf8");
  const uri = encodeURIComponent(value);
  const strict = uri.replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams({ "": value }).toString().slice(1);
  const escapes = [uri, strict, strict.replaceAll("%20", "+"), strict.replaceAll("%2F", "/"), form, form.replaceAll("+", "%20")];
  const html = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const every = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  const json = JSON.stringify(value).slice(1, -1);
  const cores = [0, 1, 2].map((before) => base64Core(bytes, before));
  const texts = [
    ...[value, ...escapes, ...escapes.map(lowerEscapes), every, every.toUpperCase()],
    ...[html, html.replaceAll('"', "&quot;").replaceAll("'", "&#39;"), html.replaceAll('"', "&quot;").replaceAll("'", "&#x27;"), html.replaceAll('"', "&#34;").replaceAll("'", "&#39;")],
    ...[json, json.replaceAll("/", "\\/")],
    ...cores.flatMap((core) => [core, core.replaceAll("+", "-").replaceAll("/", "_")]),
    ...[bytes.toString("hex"), bytes.toString("hex").toUpperCase()],
  ];
  return [...new Set(texts)].map((text) => Buffer.from(text, "utf8"));
}

const lowerEscapes = (text: string): string => text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());

/** The digits of a base64 text that say the value and nothing else, when `before` bytes (modulo 3) stand before it. */
function base64Core(bytes: Buffer, before: number): string {
  const digits = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
  return digits.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
}

import { createHash } from "node:crypto";
import { visibleLines } from "../../base/visible.ts";

/** Markup of our own; everything else is text. */
class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | Markup | readonly Markup[];

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string): string => visibleLines(text).replace(/[&<>"']/g, (character) => entities[character] ?? "");
const partText = (part: Part): string => (typeof part === "string" ? escaped(part) : part instanceof Markup ? part.text : part.map(({ text }) => text).join(""));

/** Markup with values put in: a value is escaped unless it is markup itself, so no foreign text can become markup. Attributes stand in double quotes. */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Markup => new Markup(strings.map((text, at) => text + (at < parts.length ? partText(parts[at] ?? "") : "")).join(""));

const style = `
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{margin:0 auto;max-width:40rem;padding:1rem}
h1{font-size:1.25rem;margin:0 0 1rem;overflow-wrap:anywhere}
dt{font-weight:600;margin-top:.75rem}
dd{margin:0}
pre{margin:0;padding:.5rem;white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid;border-radius:.25rem;font-size:.875rem}
label{display:block;margin-top:1rem;font-weight:600}
input,textarea{box-sizing:border-box;width:100%;padding:.75rem;font:inherit}
button{width:100%;margin-top:1rem;padding:.875rem;font:inherit;font-weight:600;border-radius:.25rem}
`;

const styleHash = createHash("sha256").update(style).digest("base64");

/** Nothing is loaded, nothing is run, no other page can frame it or be sent to, and nobody keeps it. */
const headers = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  "cache-control": "no-store",
  // Not `no-referrer`: with it browsers send `Origin: null` along with a form.
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-robots-tag": "noindex, nofollow",
} as const;

/** A page that works without JavaScript and loads nothing. */
export function page(status: number, title: string, body: Markup, more: Readonly<Record<string, string>> = {}): Response {
  const text = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`.text;
  return new Response(text, { status, headers: { ...headers, ...more } });
}

import { shortestRun } from "./signs.ts";
import { noSpans, type Span } from "./span.ts";

/** Formats of keys that say by their beginning what they are. `starts`: what is looked for; `form`: the whole, from there. */
interface Format {
  readonly starts: readonly string[];
  readonly form: RegExp;
  /** Whether what has the form is one indeed; always, where absent. */
  readonly holds?: (text: string) => boolean;
}

/** Fewer kinds of letters than a key drawn at random would have: `sk-xxxxxxxx`, `AKIA0000`. */
const isFilled = (text: string): boolean => new Set(text.slice(4)).size < 6;

/** JSON web tokens. */
const token: Format = { starts: ["eyJ"], form: /eyJ[A-Za-z0-9_-]{8,2048}\.eyJ[A-Za-z0-9_-]{4,16384}\.[A-Za-z0-9_-]{16,1024}/y, holds: (text) => isJwt(text) };

const formats: readonly Format[] = [
  token,
  { starts: ["AKIA", "ASIA", "ABIA", "ACCA"], form: /A[A-Z]{3}[A-Z0-9]{16}/y },
  { starts: ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], form: /gh[pousr]_[A-Za-z0-9]{36,251}/y },
  { starts: ["github_pat_"], form: /github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}/y },
  { starts: ["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-"], form: /gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,128}/y },
  { starts: ["xoxb-", "xoxa-", "xoxp-", "xoxo-", "xoxs-", "xoxr-", "xoxe-", "xoxe.", "xapp-"], form: /x(?:ox[abposr]-|oxe[.-](?:xox[bp]-)?|app-)[0-9A-Za-z-]{16,300}/y, holds: (text) => /\d/.test(text) },
  { starts: ["hooks.slack.com/"], form: /hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Z][A-Z0-9]{6,12}\/[A-Z0-9]{6,14}\/[A-Za-z0-9]{16,64}/y },
  { starts: ["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"], form: /discord(?:app)?\.com\/api\/webhooks\/\d{17,20}\/[A-Za-z0-9_-]{60,72}/y },
  { starts: ["sk_live_", "sk_test_", "rk_live_", "rk_test_"], form: /[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}/y },
  { starts: ["whsec_"], form: /whsec_[A-Za-z0-9+/=]{32,128}/y },
  { starts: ["AIza"], form: /AIza[0-9A-Za-z_-]{35}/y },
  { starts: ["GOCSPX-"], form: /GOCSPX-[A-Za-z0-9_-]{28}/y },
  { starts: ["ya29."], form: /ya29\.[A-Za-z0-9_-]{30,2048}/y },
  { starts: ["sk-ant-"], form: /sk-ant-[a-z0-9]{3,12}-[A-Za-z0-9_-]{24,256}/y },
  { starts: ["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"], form: /sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{24,256}/y, holds: (text) => /\d/.test(text) },
  { starts: ["sk-or-v1-"], form: /sk-or-v1-[0-9a-f]{64}/y },
  { starts: ["sk-"], form: /sk-[A-Za-z0-9]{32,64}/y, holds: (text) => /\d/.test(text) && /[A-Z]/.test(text) },
  { starts: ["npm_"], form: /npm_[A-Za-z0-9]{36}/y },
  { starts: ["pypi-"], form: /pypi-[A-Za-z0-9_-]{85,512}/y },
  { starts: ["hf_"], form: /hf_[A-Za-z]{34}/y },
  { starts: ["SG."], form: /SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}/y },
  { starts: ["dop_v1_", "doo_v1_", "dor_v1_"], form: /do[opr]_v1_[a-f0-9]{64}/y },
  { starts: ["shpat_", "shpca_", "shppa_", "shpss_"], form: /shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}/y },
  { starts: ["hvs.", "hvb.", "hvr."], form: /hv[sbr]\.[A-Za-z0-9_-]{24,256}/y, holds: (text) => /[0-9]/.test(text) },
  { starts: ["dckr_pat_"], form: /dckr_pat_[A-Za-z0-9_-]{27}/y },
  { starts: ["dapi"], form: /dapi[a-f0-9]{32}/y },
  { starts: ["lin_api_"], form: /lin_api_[A-Za-z0-9]{40}/y },
  { starts: ["ntn_"], form: /ntn_[A-Za-z0-9]{43,50}/y },
  { starts: ["sbp_"], form: /sbp_[a-f0-9]{40}/y },
  { starts: ["PMAK-"], form: /PMAK-[a-f0-9]{24}-[a-f0-9]{34}/y },
  { starts: ["glsa_"], form: /glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}/y },
  { starts: ["AGE-SECRET-KEY-1"], form: /AGE-SECRET-KEY-1[0-9A-Z]{58}/y },
  { starts: ["AccountKey="], form: /AccountKey=[A-Za-z0-9+/]{86}==/y },
  { starts: ["lyd_agent_", "lyd_user_", "lyd_session_"], form: /lyd_(?:agent|user|session)_[A-Za-z0-9_-]{43}/y },
];

/** Signed tokens are long, and a text can have many of their beginnings: whether one ends well is found out once for all that lead to the same dot. */
class TokenHeads {
  readonly #text: string;
  #dot = -1;
  #tries = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Whether it is worth while to read on from here. Null: too many have been read up to the same dot; whoever writes that hides one. */
  mayBegin(start: number): boolean | null {
    if (this.#dot <= start) {
      outsideParts.lastIndex = start;
      [this.#dot, this.#tries] = [outsideParts.exec(this.#text)?.index ?? this.#text.length, 0];
    }
    if (this.#tries === 0) {
      tokenRest.lastIndex = this.#dot;
      if (!tokenRest.test(this.#text)) this.#tries = -1;
    }
    if (this.#tries < 0 || this.#dot - start > longestHead) return false;
    return ++this.#tries > mostHeads ? null : true;
  }
}

const outsideParts = /[^A-Za-z0-9_-]/g;
const tokenRest = /\.eyJ[A-Za-z0-9_-]{4,16384}\.[A-Za-z0-9_-]{16}/y;
const longestHead = 2051;
const mostHeads = 16;

const isJwt = (text: string): boolean => {
  const head = Buffer.from(text.slice(0, text.indexOf(".")), "base64url").toString();
  return head.startsWith("{") && head.includes('"alg"');
};

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");

// The longest beginning first: `sk-ant-` before `sk-`.
const beginnings = formats.flatMap((format) => format.starts.map((start) => ({ start, format }))).toSorted((a, b) => b.start.length - a.start.length);
const byStart = new Map(beginnings.map(({ start, format }) => [start, format]));
const anchor = new RegExp(beginnings.map(({ start }) => quoted(start)).join("|"), "y");
/** By the first two letters of a beginning. */
const pairs = beginnings.map(({ start }) => start.charCodeAt(0) * 128 + start.charCodeAt(1)).reduce((table, pair) => table.fill(1, pair, pair + 1), new Uint8Array(128 * 128));
const ofKeys = Uint8Array.from({ length: 128 }, (_, code) => Number(/[A-Za-z0-9_./=+-]/.test(String.fromCharCode(code))));
const isOfKeys = (code: number): boolean => code < 128 && ofKeys[code] === 1;
const inWord = /[A-Za-z0-9]/;

/** Keys known by their format. `seams`: places where the text was put together, at which a key may begin or end though letters stand there. */
export function formatsIn(text: string, seams: ReadonlySet<number> | null = null): readonly Span[] {
  let found: Span[] | null = null;
  for (let from = 0, to = 0; from + shortestRun.key <= text.length; from = to + 1) {
    for (to = from; to < text.length && isOfKeys(text.charCodeAt(to)); ) to++;
    if (to - from >= shortestRun.key) keysBetween(text, from, to, seams, (found ??= []));
  }
  return found ?? noSpans;
}

/** In a stretch of letters that keys are made of. */
function keysBetween(text: string, from: number, to: number, seams: ReadonlySet<number> | null, found: Span[]): void {
  let heads: TokenHeads | null = null;
  for (let start = from, next = from; start + shortestRun.key <= to; start = next) {
    next = start + 1;
    if (pairs[text.charCodeAt(start) * 128 + text.charCodeAt(next)] !== 1 || (start > from && inWord.test(text[start - 1] ?? "") && !seams?.has(start))) continue;
    anchor.lastIndex = start;
    const format = byStart.get(anchor.exec(text)?.[0] ?? "");
    if (!format) continue;
    const mayBegin = format !== token || (heads ??= new TokenHeads(text)).mayBegin(start);
    if (mayBegin === false) continue;
    format.form.lastIndex = start;
    const whole = format.form.exec(text)?.[0];
    const end = start + (whole?.length ?? 0);
    if (whole === undefined || isFilled(whole) || !(mayBegin === null || (format.holds?.(whole) ?? true)) || (inWord.test(text[end] ?? "") && !seams?.has(end))) continue;
    found.push({ label: "secret", start, end });
    next = end;
  }
}

const armour = /-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d:/g;
const longestKey = 65_536;

/** Private keys in PEM, OpenSSH, PGP or PuTTY form, up to their end mark; without one to the end of what can belong to it. */
export function privateKeysIn(text: string): readonly Span[] {
  if (!text.includes("PRIVATE KEY") && !text.includes("PuTTY")) return noSpans;
  const found: Span[] = [];
  armour.lastIndex = 0;
  for (let hit = armour.exec(text); hit; hit = armour.exec(text)) {
    const from = hit.index + hit[0].length;
    const close = hit[0].startsWith("-") ? text.indexOf("-----END", from) : text.indexOf("Private-MAC:", from);
    const cut = close < 0 || close - from > longestKey;
    // The words alone, as a manual or a search for them has them, are no key.
    const inner = text.slice(from, cut ? from + longestKey : close).replaceAll("\\n", "\n");
    if (inner.replace(/[^A-Za-z0-9+/=]/g, "").length < 40) continue;
    const tail = cut ? from + (/^(?:\\n|[A-Za-z0-9+/=:,\s-])*/.exec(text.slice(from, from + longestKey))?.[0].length ?? 0) : close;
    const end = cut ? tail : (/^-----END[^-\n]{0,60}-----|^Private-MAC:\s*[0-9a-f]*/.exec(text.slice(close, close + 120))?.[0].length ?? 0) + close;
    found.push({ label: "secret", start: hit.index, end });
    armour.lastIndex = end;
  }
  return found;
}

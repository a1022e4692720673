/** One secret found: where, and by which rule; never the secret. */
export interface SecretFinding {
  readonly rule: string;
  /** From 1. */
  readonly line: number;
}

/** Each is bounded, so that looking is linear in the text. */
const rules: readonly (readonly [rule: string, pattern: RegExp])[] = [
  ["a private key", /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g],
  ["an AWS access key", /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g],
  ["an AWS secret", /\baws_?secret_?(?:access_?)?key.{0,5}?[=:]\s{0,5}["']?[A-Za-z0-9/+]{40}\b/gi],
  ["a GitHub token", /\bgh[pousr]_[A-Za-z0-9]{36,251}\b|\bgithub_pat_[A-Za-z0-9_]{60,250}\b/g],
  ["a GitLab token", /\bgl(?:pat|dt|ptt|rt|cbt)-[A-Za-z0-9_-]{20,100}\b/g],
  ["an Anthropic key", /\bsk-ant-[A-Za-z0-9_-]{20,200}/g],
  ["an OpenAI key", /\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,250}|\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}\b/g],
  ["a Slack token", /\bxox[abeoprs]-[A-Za-z0-9-]{10,250}|\bxapp-\d-[A-Za-z0-9-]{10,250}/g],
  ["a Slack webhook", /\bhttps:\/\/hooks\.slack\.com\/services\/T[A-Za-z0-9_]{6,20}\/B[A-Za-z0-9_]{6,20}\/[A-Za-z0-9_]{16,40}/g],
  ["a Stripe key", /\b[sr]k_live_[A-Za-z0-9]{16,250}\b/g],
  ["a Google API key", /\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/g],
  ["a Google service account's key", /"private_key_id"\s{0,5}:\s{0,5}"[a-f0-9]{40}"/g],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}\b|_authToken\s{0,3}=\s{0,3}[A-Za-z0-9_-]{20,200}/g],
  ["a PyPI token", /\bpypi-AgEI[A-Za-z0-9_-]{40,250}/g],
  ["a Docker token", /\bdckr_pat_[A-Za-z0-9_-]{20,60}/g],
  ["a Hugging Face token", /\bhf_[A-Za-z]{34}\b/g],
  ["a SendGrid key", /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g],
  ["a Twilio key", /\bSK[a-f0-9]{32}\b/g],
  ["a DigitalOcean token", /\bdo[opr]_v1_[a-f0-9]{64}\b/g],
  ["a Vault token", /\bhv[sb]\.[A-Za-z0-9_-]{24,250}/g],
  ["a credential of Lanyard", /\blyd_(?:agent|user|session)_[A-Za-z0-9_-]{43}/g],
  ["a JSON Web Token", /\beyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}/g],
  ["a password in a URL", /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"'<>${}]{1,100}:[^\s:@/"'<>${}]{3,100}@[a-zA-Z0-9.-]{1,200}/g],
  ["a password or key written out", /(?:password|passwd|secret|api_?key|access_?token|auth_?token|client_?secret)["']?\s{0,5}[=:]\s{0,5}["'](?=[^"']{0,100}\d)(?=[^"']{0,100}[A-Za-z])[A-Za-z0-9_+/=.!@#%^&*-]{16,100}["']/gi],
];

/** Secrets of a text that another text (what the file was before) does not have; of each rule the first `most`. */
export function newSecrets(text: string, before: string, most = 100): SecretFinding[] {
  const known = new Set(rules.flatMap(([, pattern]) => [...before.matchAll(pattern)].map(([found]) => found)));
  return rules.flatMap(([rule, pattern]) => {
    const lines: number[] = [];
    let [line, from] = [1, 0];
    for (const { 0: found, index } of text.matchAll(pattern)) {
      if (known.has(found)) continue;
      for (let at = text.indexOf("\n", from); at >= 0 && at < index; at = text.indexOf("\n", from)) {
        line++;
        from = at + 1;
      }
      lines.push(line);
      if (lines.length === most) break;
    }
    return lines.map((at) => ({ rule, line: at }));
  });
}

/** What tells of a private key is its first line; what is secret comes after it, up to its last line or as far as it could be one. */
const wholeKey = /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,65536}(?:-----END [A-Z0-9 ]{1,60}-----)?/g;

/** The text with every secret that a rule finds taken out, and said so. */
export const withoutSecrets = (text: string): string => rules.reduce((rest, [rule, pattern]) => rest.replace(pattern, `[${rule}, left out]`), text.replace(wholeKey, "[a private key, left out]"));

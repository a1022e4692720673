import { isObject, type Json, type JsonObject } from "@lanyard/contract";
import { names, remembered } from "../remembered.ts";
import { isVerb } from "./effects.ts";
import { wordSet, wordsOf } from "./words.ts";

// Calls that give somebody access, or lower what protects: by the tool's name, by the name of an argument, or by what is switched off or opened. That a
// thing can be done now which could not be done before is a consequence of its own, whatever else the call changes.

/** Verbs that do nothing else. */
const giving = wordSet("grant share invite unlock authorize authorise delegate whitelist allowlist disable deactivate disarm unprotect impersonate promote bypass elevate unblock unban suspend expose trust");
/** What access is made of: whoever changes it may give it. */
const rights = wordSet("access permission permissions role roles acl visibility collaborator collaborators admin admins owner owners ownership sharing guest guests privilege privileges membership firewall ingress protection mfa 2fa otp passcode password credential credentials spender allowance sudo iam rbac sso oauth binding whitelist allowlist public secret secrets");
/** Of several words. */
const keys = /\b(?:api|access|auth|deploy|ssh|gpg|signing|personal|private|session|bearer|refresh|service) (?:keys?|tokens?|accounts?)\b|\bsecurity (?:group|rule|setting)s?\b|\btwo factor\b|\buser polic(?:y|ies)\b|\brecovery (?:email|phone)\b|\blogin (?:email|phone)\b/;
/** Whoever is added gets in. */
const joining = /\b(?:add|create|register|enroll|onboard|attach|assign)\b.*\b(?:users?|members?|accounts?|peers?|device|fingerprint|face)\b/;
/** What keeps people out, or sees them. */
const guards = wordSet("alarm alarms camera cameras lock locks door doors gate gates garage firewall siren safe vault mfa 2fa antivirus");
const lowering = wordSet("open unlock turn switch toggle stop set disable control shut deactivate pause");
/** What is said where something is kept out. */
const raising = wordSet("lock locked close closed arm armed away on enable enabled secure shut");
/** Verbs of who answers an invitation and gives none. */
const answering = wordSet("respond reply answer accept reject decline dismiss cancel list get");
const arguing = wordSet("permission permissions visibility privileges acl grantee grantees spender allowance is_admin is_public share_with shared_with cidr cidrs scopes access access_level");
const longestGuarded = 64;

/** Who or what is let in, by the name of the argument that says so. */
const principals = wordSet("user users username usernames login handle subject principal grantee grantees spender group groups team teams member members key keys cidr cidrs source owner collaborator collaborators code password passcode");

/** Whether a call gives access or lowers a protection, as far as its words say. Asked only of calls that change something. */
export function givesAccess(tool: string, args: JsonObject): boolean {
  const { gives, givesByVerb, isLowering, guarded } = toolOf(tool);
  if (gives) return true;
  const names = Object.keys(args);
  if (!givesByVerb && names.some((argument) => isRaising(args[argument]))) return false;
  return (isLowering && guarded) || names.some((argument) => isArguing(argument) || (isLowering && isGuard(args[argument])));
}

const toolOf = remembered(names, (tool) => {
  const words = wordsOf(tool);
  const name = words.join(" ");
  const isAnswer = answering.has(words.find(isVerb) ?? "");
  const givesByVerb = words.some((word) => giving.has(word));
  const gives = (givesByVerb && !isAnswer) || words.some((word) => rights.has(word)) || keys.test(name) || joining.test(name);
  return { gives, givesByVerb, isLowering: words.some((word) => lowering.has(word)), guarded: words.some((word) => guards.has(word)) };
});
const isArguing = remembered(names, (argument) => arguing.has(wordsOf(argument).join("_")));
/** Of a value that is short enough to be the name of something. */
const saidIn = (value: Json | undefined): readonly string[] => (typeof value === "string" && value.length <= longestGuarded ? wordsOf(value) : []);
const isRaising = (value: Json | undefined): boolean => {
  const [first = "", ...more] = saidIn(value);
  return more.length === 0 && raising.has(first);
};
const isGuard = (value: Json | undefined): boolean => saidIn(value).some((word) => guards.has(word));

/** What protects, as settings are called. */
const protections = wordSet("tls ssl https verify verification auth authentication mfa 2fa factor sso encryption encrypted firewall audit auditing csrf xsrf sandbox antivirus protection protected hsts waf interlock");
/** What lets through, as settings are called. */
const openings = wordSet("insecure anonymous unauthenticated unverified unprotected passwordless");
const without = wordSet("skip disable disabled bypass ignore no without");
const isOff = (value: Json | undefined): boolean => value === false || value === 0 || (typeof value === "string" && /^\s*(?:false|off|no|none|never|0|disabled?|skip|bypass|permissive|optional)\s*$/i.test(value));
const isOn = (value: Json | undefined): boolean => value === true || value === 1 || (typeof value === "string" && /^\s*(?:true|on|yes|1|enabled?)\s*$/i.test(value));
const isSetting = (words: readonly string[]): boolean => words.length <= 8 && words.some((word) => protections.has(word));

const [deepestSetting, mostSettings] = [8, 2048] as const;

/** What is set in a call: its arguments, and the fields of records in them, so many at most. */
function* settingsIn(value: Json, depth = 0): Generator<readonly [name: string, value: Json]> {
  if (depth > deepestSetting) return;
  if (Array.isArray(value)) for (const item of value) yield* settingsIn(item, depth + 1);
  else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      yield [name, value[name] ?? null];
      yield* settingsIn(value[name] ?? null, depth + 1);
    }
  }
}

/**
 * Whether the arguments of a call switch off what protects, whatever the call is named and however deep it stands: `tls_verify: false`, `skip_verification: true`, `settings: { two_factor: off }`, or a setting by its name
 * beside what it is set to (`key: relay.tls_verify, value: false`).
 */
export function lowersProtection(args: JsonObject): boolean {
  const isSwitchedOff = Object.values(args).some(isOff);
  return settingsIn(args).take(mostSettings).some(([name, value]) => {
    const words = wordsOf(name);
    if (isOff(value) ? isSetting(words) : isOn(value) && (words.some((word) => openings.has(word)) || (isSetting(words) && words.some((word) => without.has(word))))) return true;
    return isSwitchedOff && typeof value === "string" && !/\s/.test(value) && isSetting(saidIn(value));
  });
}

/** Whether an argument of such a call says who gets in. */
export const isLetIn = (words: readonly string[]): boolean => {
  const last = words.at(-1) ?? "";
  return principals.has(last === "id" || last === "ids" || last === "name" || last === "email" ? (words.at(-2) ?? "") : last);
};

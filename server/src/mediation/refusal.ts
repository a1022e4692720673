import { errors, Fault, type Action, type ErrorCode } from "@lanyard/contract";
import type { Hold, Intent, Ruling } from "../base/path.ts";
import type { Reply } from "./stages.ts";

/**
 * What an agent reads when it does not get what it asked for: what was refused, why in the policy author's words, what to do instead,
 * and the decision's id. A model acts on this text, so it says plainly whether a retry makes sense.
 */
const compose = (lines: readonly (string | false)[], intent: Intent): string =>
  [...lines.filter((line) => line !== false), `Decision: ${intent.id} (\`lanyard explain ${intent.seq}\` shows it in full).`].join("\n");

const refused = (code: ErrorCode, intent: Intent, ...lines: (string | false)[]): Reply => ({
  kind: "refused",
  code,
  text: compose(lines, intent),
  intent,
});

const reasonsOf = (ruling: Ruling): string[] =>
  ruling.decision.reasons.map(({ policy, text }) => `Why: ${text || "the policy gives no reason."} (policy \`${policy}\`)`);

/** Names that begin with `lanyard.` are no author's: there the engine itself says what it could not do. */
const failureOf = ({ policy, message }: Ruling["decision"]["errors"][number]): string =>
  policy.startsWith("lanyard.") ? `Why: ${message}.` : `Why: policy \`${policy}\` could not be evaluated for this call, and a policy that errors denies.`;

const publicText = (error: unknown): string => (error instanceof Fault ? error.message : "an internal error");

export const refusal = {
  denied(action: Action, intent: Intent, ruling: Ruling, by: ErrorCode | "policy", why: string): Reply {
    if (by === "staged") return refused(by, intent, `Staged before: this very call of \`${action.name}\`.`, `How it stands: ${why}.`, `What to do: ${errors[by].remedy}.`);
    if (by !== "policy") return refused(by, intent, `Denied: \`${action.name}\` was not carried out.`, `Why: ${why}.`, `What to do: ${errors[by].remedy}.`);
    const { reasons, errors: failed } = ruling.decision;
    return refused(
      "denied",
      intent,
      `Denied by policy: \`${action.name}\` was not carried out.`,
      ...failed.map(failureOf),
      ...reasonsOf(ruling),
      reasons.length + failed.length === 0 && "Why: no policy permits this call, and what is not permitted is denied.",
      "What to do: do not retry the same call; choose another way, or tell the user what you need and why.",
    );
  },

  held(action: Action, intent: Intent, ruling: Ruling, hold: Exclude<Hold, { kind: "approved" | "void" }>): Reply {
    if (hold.kind === "denied") {
      return refused(
        "approval_denied",
        intent,
        `Denied by a person: \`${action.name}\` was not carried out.`,
        `Why: ${hold.by} denied approval ${hold.id}${hold.comment ? `: ${hold.comment}` : " without a comment"}.`,
        "What to do: do not retry; choose another way.",
      );
    }
    return refused(
      "approval_pending",
      intent,
      `Pending approval: \`${action.name}\` has not been carried out yet.`,
      ...reasonsOf(ruling),
      `Waiting for: ${hold.groups.join(", ")} (approval ${hold.id}).`,
      "What to do: retry the identical call later; once approved it goes through, once. Changed arguments need a new approval.",
    );
  },

  staged: (action: Action, intent: Intent, { id, until_ms }: { readonly id: string; readonly until_ms: number }): Reply =>
    refused(
      "staged",
      intent,
      `Staged: \`${action.name}\` has not been carried out yet. It is allowed, and will be at ${new Date(until_ms).toISOString()} as ${id}, unless somebody withdraws it or policy no longer allows it by then.`,
      "What to do: go on with other work. The identical call tells how it stands; it is not staged twice.",
    ),

  askedAgain: (action: Action, intent: Intent): Reply =>
    refused(
      "approval_pending",
      intent,
      `Pending approval: \`${action.name}\` has not been carried out.`,
      "Why: the policy, the tool's definition or a fact changed since people were asked, or their request was voided; a yes to it no longer covers this call.",
      "What to do: retry the identical call; it will be put to a person again.",
    ),

  unreached: (action: Action, intent: Intent, error: Fault): Reply =>
    refused(error.code, intent, `Not carried out: \`${action.name}\` never reached the server.`, `Why: ${error.message}.`, `What to do: ${errors[error.code].remedy}.`),

  withheld: (action: Action, intent: Intent, error: unknown): Reply =>
    refused(
      "result_withheld",
      intent,
      `Result withheld: \`${action.name}\` was carried out, but what came back was not passed on.`,
      `Why: ${publicText(error)}.`,
      "What to do: do not repeat the call to see its result; ask for less.",
    ),

  uncertain: (action: Action, intent: Intent, error: unknown): Reply => ({
    kind: "uncertain",
    text: compose(
      [
        `Uncertain: \`${action.name}\` was sent, but its end is not known; it may have taken effect.`,
        `Why: ${publicText(error)}.`,
        "What to do: check the state before you retry.",
      ],
      intent,
    ),
    intent,
  }),
} as const;

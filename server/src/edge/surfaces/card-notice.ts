import type { Notice } from "../../base/notify/notice.ts";
import { shortened } from "../../base/visible.ts";
import type { ApprovalCard } from "../../stages/approval/card.ts";

// What a telephone shows of a card, in characters and items; all of it is on the page and in `lanyard approvals`.
const bounds = { effect: 3000, purpose: 500, items: 8, item: 300 } as const;

const minutes = (ms: number): string => `${Math.max(1, Math.round(ms / 60_000))} minutes`;

/** A card as fields: what people need to see before they answer. All values are foreign text. */
export function fieldsOf({ action, effect, resources, reversibility, agent, user, purpose, session, reasons, read, given, missing, transforms, beside }: ApprovalCard): (readonly [string, string])[] {
  const list = (items: readonly string[]): string => [...items.slice(0, bounds.items).map((item) => shortened(item, bounds.item)), ...(items.length > bounds.items ? [`and ${items.length - bounds.items} more`] : [])].join("\n");
  const optional = (name: string, items: readonly string[]): [string, string][] => (items.length === 0 ? [] : [[name, list(items)]]);
  return [
    ["what", action],
    ["effect", effect.length === 0 ? "(the arguments were erased)" : shortened(effect.join("\n"), bounds.effect)],
    ...optional("changed by policy", transforms),
    ...(beside === null ? [] : ([["beside the arguments", shortened(JSON.stringify(beside), bounds.item)]] as const)),
    ...optional("touches", resources),
    ["can be undone", reversibility],
    ["who", `agent ${agent} for ${user}, session ${session}`],
    ["purpose", shortened(purpose, bounds.purpose)],
    ...optional("why it is asked", reasons.map(({ text, policy }) => `${text} (${policy})`)),
    ...optional("read before", read.map(({ action: earlier, what }) => `${earlier} ${what}`)),
    ...optional("approved by", given.map(({ by, groups }) => `${by} for ${groups.join(", ")}`)),
    ["waits for", missing.join(", ")],
  ];
}

/** The question as a notice. `nowMs`: when it is told. */
export function questionOf(card: ApprovalCard, { nowMs, ...more }: { readonly nowMs: number } & Pick<Notice, "id" | "dedup" | "link"> & Partial<Pick<Notice, "answers" | "to">>): Notice {
  const { id, requests, action, digest, agent, user, session, groups, missing, reversibility, of, expires_at_ms: untilMs } = card;
  return {
    kind: "approval",
    severity: "warning",
    title: `${agent} asks to call ${action}`,
    lines: [`An agent waits for a person: ${missing.join(", ")}.`, `Without an answer it is refused in ${minutes(untilMs - nowMs)}.`],
    fields: fieldsOf(card),
    commands: [`lanyard approve ${id}`, `lanyard deny ${id}`, `lanyard explain ${of}`],
    data: { id, requests: requests.map((request) => request.id), action, digest, agent, user, session, groups, missing, reversibility, expires_at_ms: untilMs },
    about: `user:${user}`,
    untilMs,
    ...more,
  };
}

/** That a question is over. `how`: in words. */
export const endOf = (request: string, how: string, more: Pick<Notice, "id" | "dedup"> & Partial<Pick<Notice, "to">>): Notice => ({
  kind: "resolved",
  severity: "info",
  title: `Approval ${request}: ${how}`,
  lines: ["There is nothing to answer any more."],
  fields: [],
  commands: [],
  link: null,
  data: { id: request, how },
  ...more,
});

import type { Notice } from "../../base/notify/notice.ts";
import { shortened, visible, visibleLines } from "../../base/visible.ts";
import type { ApprovalCard } from "../../stages/approval/card.ts";
import { renderingBounds } from "../../stages/approval/rendering.ts";

/** What fits into a message on every channel, in characters as they are shown. */
const fits = { field: 2400, all: 6000, cut: 400 } as const;
/** Requests that a message names, of identical ones. */
const namedRequests = 100;

/** A card as fields, whole: what people need to see before they answer. All values are foreign text. */
export function fieldsOf({ action, args, effect, resources, reversibility, agent, user, purpose, session, reasons, read, given, missing, transforms, beside }: ApprovalCard): (readonly [string, string])[] {
  const isCut = effect.length > renderingBounds.lines || effect.some((line) => line.length > renderingBounds.lineChars);
  const listed = (items: readonly string[]): string => items.map(visible).join("\n"); // A line end inside an item would look like another item.
  const optional = (name: string, items: readonly string[]): [string, string][] => (items.length === 0 ? [] : [[name, listed(items)]]);
  return [
    ["what", action],
    ["effect", args === null ? "(the arguments were erased)" : listed(effect)],
    ...(isCut ? ([["arguments", JSON.stringify(args, null, 2)]] as const) : []),
    ...optional("changed by policy", transforms),
    ...optional("beside the arguments", beside === null ? [] : [JSON.stringify(beside)]),
    ...optional("touches", resources),
    ["can be undone", reversibility],
    ["who", `agent ${agent} for ${user}, session ${session}`],
    ["purpose", purpose],
    ...optional("why it is asked", reasons.map(({ text, policy }) => `${text} (${policy})`)),
    ...optional("read before", read.map(({ action: earlier, what }) => `${earlier} ${what}`)),
    ...optional("approved by", given.map(({ by, groups }) => `${by} for ${groups.join(", ")}`)),
    ["waits for", missing.join(", ")],
  ];
}

const minutes = (ms: number): string => `${Math.max(1, Math.round(ms / 60_000))} minutes`;

/**
 * The question as a notice. `nowMs`: when it is told. Invariant: nobody is given a button for what they were not shown whole; what does not fit is
 * answered where it does.
 */
export function questionOf(card: ApprovalCard, { nowMs, answers, ...more }: { readonly nowMs: number } & Pick<Notice, "id" | "dedup" | "link"> & Partial<Pick<Notice, "answers" | "to">>): Notice {
  const { id, requests, action, digest, agent, user, session, groups, missing, reversibility, of, expires_at_ms: untilMs } = card;
  const fields = fieldsOf(card);
  const sizes = fields.map(([, value]) => visibleLines(value).length);
  const isWhole = sizes.every((size) => size <= fits.field) && sizes.reduce((sum, size) => sum + size, 0) <= fits.all;
  return {
    kind: "approval",
    severity: "warning",
    title: `${agent} asks to call ${action}`,
    lines: [
      `An agent waits for a person: ${missing.join(", ")}.`,
      `Without an answer it is refused in ${minutes(untilMs - nowMs)}.`,
      ...(isWhole ? [] : ["It is too long for a message and is cut here: read the whole of it before you answer."]),
    ],
    fields: isWhole ? fields : fields.map(([name, value]) => [name, shortened(value, fits.cut)]),
    commands: ["lanyard approvals", `lanyard approve ${id}`, `lanyard deny ${id}`, `lanyard explain ${of}`],
    data: { id, requests: requests.slice(0, namedRequests).map((request) => request.id), action, digest, agent, user, session, groups, missing, reversibility, expires_at_ms: untilMs },
    about: `user:${user}`,
    untilMs,
    ...(isWhole && answers && { answers }),
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

import type { ApprovalCard } from "./card.ts";

/**
 * A change that surfaces follow. `id` is the request's, `card` the one it is on (as it stands now), so an `asked` whose `id` is not the card's
 * first adds to a card that is shown already. `answered` comes with every yes, also one that is not the last. `how`: `approve`, `deny`,
 * `grant`, `used`, `void`, or why it expired.
 */
export interface ApprovalChange {
  readonly kind: "asked" | "answered" | "ended";
  readonly id: string;
  readonly card: ApprovalCard;
  readonly by: string | null;
  readonly how: string;
}

import { Fault } from "@lanyard/contract";
import { approvalStats } from "../../mediation/approval-stats.ts";
import { userOf, type ApiCall, type Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

type ApprovalRoute = "approval_list" | "approval_stats" | "approval_events" | "approval_decide";

export const approvalHandlers = (rooms: Rooms): Record<ApprovalRoute, Handler> => {
  const { approvals } = rooms;
  const streams = { open: 0 };
  return {
    approval_list: ({ caller }) => ({ json: { approvals: approvals.list(userOf(caller)) } }),
    approval_stats: async ({ actor, query }) => {
      await rooms.store.append({ type: "access.read", by: actor, what: "approvals stats", from: 0, to: Math.max(0, rooms.store.size() - 1), times: 1 });
      return { json: { rules: await approvalStats({ store: rooms.store, policy: (bundle, id) => rooms.past.policy(bundle, id) }, Number(query["since_ms"])) } };
    },
    approval_events: (call) => {
      if (streams.open >= rooms.limits.approval_streams) throw new Fault("limit_exceeded", `${rooms.limits.approval_streams} readers follow approvals, the limit approval_streams`);
      return { events: changes(rooms, call, streams) };
    },
    approval_decide: async ({ caller, at, body }) => {
      const user = userOf(caller);
      if (user === undefined) throw new Fault("forbidden", "a user approves or denies, as oneself");
      const verdict = body["verdict"] === "approve" ? "approve" : "deny";
      const digest = body["digest"] === undefined ? undefined : String(body["digest"]);
      const [id, by] = [at["id"] ?? "", { user }];
      const vouched = body["vouch"] === true ? approvals.questioned(id) : null;
      if (vouched && verdict === "deny") throw new Fault("invalid_request", "whoever says no vouches for nothing");
      if (vouched) rooms.vouching.needVoice(by);
      const card = await approvals.decide(id, verdict, { user, via: null }, String(body["comment"] ?? ""), digest);
      for (const { value } of vouched?.untrusted ?? []) await rooms.vouching.declassify(vouched?.session ?? "", value, null, by, id);
      return { json: vouched ? { ...card, vouched: vouched.untrusted.map(({ at: pointer }) => pointer) } : card };
    },
  };
};

const backlog = 1000;
const heartbeatMs = 15_000;

/** The cards there are as `{kind: "open", cards}`, then each change, until the reader goes away, falls too far behind, or its credential is revoked. */
async function* changes({ approvals, clock, store }: Rooms, { caller, signal }: ApiCall, streams: { open: number }): AsyncGenerator<object | null> {
  const user = userOf(caller);
  const mayRead = (): boolean => typeof caller === "string" || caller.kind !== "user" || store.get("credential", caller.key) !== null;
  const queue: (object | null)[] = [];
  let wake = (): void => {};
  let behind = false;
  const put = (event: object | null): void => {
    // Here and not where it is read: a reader who reads nothing must not make the queue grow.
    behind = behind || queue.length >= backlog;
    if (behind) queue.length = 0;
    else queue.push(event);
    wake();
  };
  const following = approvals.onChange((change) => {
    if (user === undefined || approvals.concerns(change.card, user)) put(change);
  });
  const beat = { timer: { cancel: (): void => {} } };
  const again = (): void => {
    beat.timer = clock.after(heartbeatMs, () => (put(null), again()));
  };
  again();
  const stop = (): void => wake();
  signal.addEventListener("abort", stop);
  streams.open++;
  try {
    yield { kind: "open", cards: approvals.list(user) };
    while (!signal.aborted && !behind && mayRead()) {
      const event = queue.shift();
      if (event !== undefined) yield event;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    streams.open--;
    beat.timer.cancel();
    signal.removeEventListener("abort", stop);
    following.stop();
  }
}

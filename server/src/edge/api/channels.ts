import type { Notice } from "../../base/notify/notice.ts";
import type { Store } from "../../base/store/port.ts";
import type { Handler } from "./handler.ts";
import type { Rooms } from "./rooms.ts";

/** Long enough for one attempt: a test says what that met, and is not tried again for a day. */
const oneAttemptMs = 500;

export const channelHandlers = ({ channels, clock, store }: Rooms): Record<"channel_list" | "channel_test", Handler> => ({
  channel_list: () => ({ json: { channels: channels.list() } }),
  channel_test: async ({ actor, at, signal }) => {
    const channel = at["id"] ?? "";
    const notice = testOf(clock.id("test"), actor, clock.nowMs());
    using ending = endingOf(store, channel, notice.id, signal);
    await channels.post(channel, notice);
    const code = await ending.code;
    if (code === null) await channels.post(channel, { ...notice, id: `${notice.id}:end`, kind: "resolved", title: "The test is over", lines: [] }); // so that no incident stays open for it
    return { json: { channel, id: notice.id, delivered: code === null, code } };
  },
});

const testOf = (id: string, by: string, nowMs: number): Notice => ({
  ...{ id, dedup: id, kind: "alert", severity: "info", title: "Test of a channel", lines: [`${by} tests whether messages of Lanyard arrive here. There is nothing to do.`] },
  ...{ fields: [], commands: [], link: null, data: { test: true }, untilMs: nowMs + oneAttemptMs },
});

/** How a notice ended: null when it was delivered, else why not. Waits for as long as the client does. */
function endingOf(store: Pick<Store, "follow">, channel: string, id: string, signal: AbortSignal): { readonly code: Promise<string | null> } & Disposable {
  const { promise: code, resolve } = Promise.withResolvers<string | null>();
  const following = store.follow((record) => {
    if (record.type !== "notice.deliver" && record.type !== "notice.fail") return;
    if (record.id === id && record.channel === channel) resolve(record.type === "notice.fail" ? record.code : null);
  });
  signal.addEventListener("abort", () => resolve("unknown"), { once: true });
  return { code, [Symbol.dispose]: () => following.stop() };
}

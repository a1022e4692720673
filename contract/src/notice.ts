/** What a message to people is about: a question, something wrong, that somebody took it on, that it is over, or an effect that can still be withdrawn. */
export const noticeKinds = ["approval", "alert", "acknowledged", "resolved", "withdrawal"] as const;
export type NoticeKind = (typeof noticeKinds)[number];

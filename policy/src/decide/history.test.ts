import { expect, test } from "vitest";
import { questionsOf } from "../temporal/answers.ts";
import { HistoryRecord } from "./history.ts";

test("a record's answers to what the bundle does not ask are none of its history", () => {
  const record = new HistoryRecord({ another: true }, questionsOf([]));
  expect([record.get("another"), record.has("another"), record.names()]).toEqual([undefined, false, []]);
});

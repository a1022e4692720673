import type { Command } from "commander";
import type { Context } from "../context.ts";
import { json, table, time } from "../terminal.ts";

interface HistoryLine {
  readonly version: number;
  readonly signature: "verified" | "broken";
  readonly author?: string;
  readonly at_ms?: number;
  readonly note?: string;
  readonly waits?: boolean;
  readonly posts?: readonly string[];
  readonly second_person?: { readonly by: string } | null;
}

export function historyVerb(policy: Command, context: Context): void {
  policy
    .command("history")
    .description("published versions, newest first, and where each stands")
    .option("--limit <n>", "at most this many", "20")
    .option("--json", "as one JSON object")
    .addHelpText("after", "\nExample:\n  lanyard policy history")
    .action(async (options: { limit: string; json?: boolean }) => {
      const answer = await (await context.reach()).call<{ versions: HistoryLine[]; older: number }>("policy_history", { query: { limit: options.limit } });
      if (options.json) return context.out(json(answer));
      if (answer.versions.length === 0) return context.out("no version was published yet");
      const cells = answer.versions.map((line) => [String(line.version), stateOf(line), line.author ?? "", line.at_ms === undefined ? "" : time(line.at_ms), line.second_person?.by ?? "", line.note ?? ""]);
      for (const line of table(["version", "state", "author", "published", "second person", "note"], cells, context.colour)) context.out(line);
      if (answer.older > 0) context.out(`and ${answer.older} older`);
    });
}

const stateOf = ({ signature, waits, posts = [] }: HistoryLine): string => {
  if (signature === "broken") return "CHANGED ON DISK";
  const words = [...posts, ...(waits ? ["waits for a second person"] : [])];
  return words.join(", ");
};

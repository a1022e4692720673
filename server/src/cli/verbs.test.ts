import { Command } from "commander";
import { expect, test } from "vitest";
import type { Context } from "./context.ts";
import { verbs } from "./verbs.ts";

test("each row of the table names the verbs that its file registers", async () => {
  for (const { names, load } of verbs) {
    const program = new Command().enablePositionalOptions();
    await (await load())(program, {} as Context, []);
    expect(program.commands.flatMap((command) => [command.name(), ...command.aliases()])).toEqual(names);
  }
});

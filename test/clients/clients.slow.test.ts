import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@lanyard/contract";
import { beforeAll, describe, expect, it } from "vitest";
import { programs, root } from "../../scripts/install.mjs";
import { approveCatalog, DaemonProcess, program, World } from "../daemon.ts";
import { aiSdk, claude, codex, gemini, geminiOverHttp, ownFolder, runIn, startWall, type RealAgent, type Stage } from "./agents.ts";
import { startModel, type PlannedCall } from "./model.ts";

// Real agents, headless, against a model server that follows a plan. Each must list the tools that policy lets it see, make an allowed
// call, and get a denial whose text reaches the model.

const notes = join(import.meta.dirname, "../journeys/world");
const yaml = readFileSync(join(notes, "lanyard.yaml"), "utf8").replace(/^(version|listen|data|policies):.*\n/gm, "").replace("notes.mjs", join(notes, "notes.mjs"));
const policies = { "notes.cedar": readFileSync(join(notes, "policies/notes.cedar"), "utf8") };

const plan: PlannedCall[] = [
  { tool: /read_note$/, args: { name: "plan" } },
  { tool: /write_note$/, args: { name: "plan", text: "rest" } },
];

/** How the agent comes to Lanyard: by what `lanyard connect` wrote, or inside `lanyard run`. */
type Way = "connect" | "run";

const journeys: readonly { readonly name: string; readonly agent: RealAgent; readonly way: Way }[] = [
  { name: "claude", agent: claude, way: "connect" },
  { name: "codex", agent: codex, way: "connect" },
  { name: "gemini", agent: gemini, way: "connect" },
  { name: "gemini over HTTP", agent: geminiOverHttp, way: "run" },
  { name: "AI SDK", agent: aiSdk, way: "run" },
];

let installed = "";
beforeAll(async () => {
  installed = await programs("test/clients");
});

describe("real agents", () => {
  it.each(journeys)("$name lists, calls, and reads why it was denied", async ({ name, agent, way }) => {
    using world = new World({ yaml, policies });
    await using daemon = await DaemonProcess.start(world);
    await approveCatalog(world.operator(), "notes");
    await using model = await startModel(plan);
    await using wall = await startWall();
    const stage: Stage = { installed, model, wall: wall.url, home: ownFolder(world.folder, "home"), project: ownFolder(world.folder, "project") };
    agent.prepare(stage);

    const lanyard = [process.execPath, program, "--config", world.config];
    const { argv, env } = agent.command(stage);
    if (way === "connect") {
      const connected = await runIn(stage, [...lanyard, "connect", name, "--on-behalf-of", "ben", "--yes"]);
      expect(connected, connected.output).toMatchObject({ code: 0 });
    }
    const inside = way === "run" ? [...lanyard, "run", "--isolation", "none", "--agent", "clerk", "--on-behalf-of", "ben", "--purpose", "a test", "--"] : [];
    const ended = await runIn(stage, [...inside, ...argv], env);

    const last = model.turns.at(-1);
    expect(last?.results, `${ended.output}\n${daemon.log}`).toHaveLength(2);
    expect(last?.tools.filter((tool) => tool.endsWith("_note")).length).toBe(3);
    expect(last?.results[0]).toContain("ship it");
    expect(last?.results[1]).toContain("The plan is not for agents to change; write your note under another name.");
    expect(last?.results[1]).toMatch(/do not retry the same call/);
    expect(ended.code, ended.output).toBe(0);

    const decisions: JsonObject[] = [];
    for await (const record of world.operator().lines("log", { query: { type: "decision" } })) decisions.push(record);
    expect(decisions.map(({ agent: who, user, action, effect }) => [who, user, action, effect])).toEqual([
      ["clerk", "ben", "notes/read_note", "allow"],
      ["clerk", "ben", "notes/write_note", "deny"],
    ]);
    expect(wall.asked, "the agent phoned home").toEqual([]);
  });

  it("are pinned as their lock says", () => expect(readFileSync(join(installed, "package-lock.json"), "utf8")).toBe(readFileSync(join(root, "test/clients/package-lock.json"), "utf8")));
});

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { applyConnect, applyUndo, diffLines, isConnected, knownClients, planConnect, planUndo, type ClientName, type Surroundings } from "./connect.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const surroundings = (): Surroundings => {
  const home = mkdtempSync(join(tmpdir(), "connect-"));
  folders.push(home);
  mkdirSync(join(home, "project"));
  return { home, cwd: join(home, "project"), lanyardHome: join(home, ".lanyard"), environment: {} };
};

const launch = { command: "/opt/lanyard/bin/lanyard.mjs", args: ["mcp", "--agent", "coder"] };
const connect = (client: ClientName, around: Surroundings): void => applyConnect(client, planConnect(client, launch, around), around);
const undo = (client: ClientName, around: Surroundings): void => applyUndo(client, planUndo(client, around), around);

const existing: Record<ClientName, string> = {
  claude: `{\n  "mcpServers": {"mine": {"command": "x"}}\n}\n`,
  codex: `# my model\nmodel = "o4"`,
  gemini: `// hand-written\n{"theme": "dark",}\n`,
};

describe.each(Object.keys(knownClients) as ClientName[])("connecting %s", (client) => {
  it("and undoing it restores the file byte for byte, mode and link included", () => {
    const around = surroundings();
    const file = knownClients[client].file(around);
    const real = join(around.home, "dotfiles");
    writeFileSync(real, existing[client]);
    chmodSync(real, 0o640);
    mkdirSync(dirname(file), { recursive: true });
    symlinkSync(real, file);
    connect(client, around);
    expect(readFileSync(real, "utf8")).toContain("/opt/lanyard/bin/lanyard.mjs");
    expect(readFileSync(real, "utf8").length).toBeGreaterThan(existing[client].length);
    expect(statSync(real).mode & 0o777).toBe(0o640);
    undo(client, around);
    expect(readFileSync(real, "utf8")).toBe(existing[client]);
    expect(isConnected(client, around)).toBe(false);
  });

  it("where there was no file takes it away again", () => {
    const around = surroundings();
    connect(client, around);
    expect(isConnected(client, around)).toBe(true);
    expect(statSync(knownClients[client].file(around)).mode & 0o777).toBe(0o600);
    undo(client, around);
    expect(existsSync(knownClients[client].file(around))).toBe(false);
  });

  it("twice changes nothing more and undoes to the first state", () => {
    const around = surroundings();
    connect(client, around);
    const { before, after } = planConnect(client, launch, around);
    expect(after).toBe(before);
    applyConnect(client, planConnect(client, { ...launch, args: ["mcp", "--agent", "other"] }, around), around);
    undo(client, around);
    expect(existsSync(knownClients[client].file(around))).toBe(false);
  });

  it("refuses to undo over somebody's later change", () => {
    const around = surroundings();
    connect(client, around);
    const file = knownClients[client].file(around);
    writeFileSync(file, `${readFileSync(file, "utf8")}\n`);
    expect(() => planUndo(client, around)).toThrow(/was changed since .* by hand/);
  });

  it("refuses to undo what it never did", () => expect(() => planUndo(client, surroundings())).toThrow(/never wrote/));
});

it("names the file it cannot edit", () => {
  const around = surroundings();
  writeFileSync(join(around.cwd, ".mcp.json"), "{]");
  expect(() => planConnect("claude", launch, around)).toThrow(/\.mcp\.json: not valid JSON: unexpected `]` in line 1, column 2/);
});

it("shows the lines that change, with a few around them", () => {
  const around = surroundings();
  writeFileSync(join(around.cwd, ".mcp.json"), existing.claude);
  expect(diffLines(planConnect("claude", launch, around))).toMatchInlineSnapshot(`
    [
      " {",
      "-  "mcpServers": {"mine": {"command": "x"}}",
      "+  "mcpServers": {"mine": {"command": "x"},",
      "+    "lanyard": {",
      "+      "type": "stdio",",
      "+      "command": "/opt/lanyard/bin/lanyard.mjs",",
      "+      "args": [",
      "+        "mcp",",
      "+        "--agent",",
      "+        "coder"",
      "+      ]",
      "+    }",
      "+  }",
      " }",
    ]
  `);
});

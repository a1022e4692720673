import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spliceJson, spliceToml } from "./splice.ts";

describe("spliceJson", () => {
  const entry = { command: "lanyard", args: ["mcp"] };

  it("keeps comments, order, indentation and what it does not know", () => {
    const text = `// mine\n{\n    "theme": "dark", /* keep */\n    "mcpServers": {\n        "other": { "command": "x" } // the old one\n    },\n    "last": [1, 2,],\n}\n`;
    expect(spliceJson(text, ["mcpServers", "lanyard"], entry)).toMatchInlineSnapshot(`
      "// mine
      {
          "theme": "dark", /* keep */
          "mcpServers": {
              "other": { "command": "x" }, // the old one
              "lanyard": {
                  "command": "lanyard",
                  "args": [
                      "mcp"
                  ]
              }
          },
          "last": [1, 2,],
      }
      "
    `);
  });

  it("replaces its own entry in place", () => {
    const once = spliceJson(`{"mcpServers":{"lanyard":{"command":"old"},"b":{}}}`, ["mcpServers", "lanyard"], 1);
    expect(once).toBe(`{"mcpServers":{"lanyard":1,"b":{}}}`);
  });

  it("agrees with setting the member on the parsed value", () => {
    const json = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
    fc.assert(
      fc.property(json, json, fc.constantFrom(0, 1, 2, "\t"), (top, servers, indent) => {
        const whole = JSON.parse(JSON.stringify({ ...top, mcpServers: servers })) as { mcpServers: object };
        const text = JSON.stringify(whole, null, indent);
        expect(JSON.parse(spliceJson(text, ["mcpServers", "lanyard"], entry))).toEqual({ ...whole, mcpServers: { ...whole.mcpServers, lanyard: entry } });
        expect(JSON.parse(spliceJson(JSON.stringify(top, null, indent), ["fresh key", "lanyard"], entry))).toEqual({ ...(JSON.parse(JSON.stringify(top)) as object), "fresh key": { lanyard: entry } });
      }),
    );
  });

  it.each(["[]", "{", `{"a" 1}`, `{"a": 1 "b": 2}`, `{"mcpServers": []}`, "{} {}", "{'a': 1}", `{"a": [1 2]}`, `{"a": "open}`])("refuses %s", (text) =>
    expect(() => spliceJson(text, ["mcpServers", "lanyard"], 1)).toThrow(/JSON|not an object/),
  );

  it("starts an empty file", () => expect(JSON.parse(spliceJson("", ["mcpServers", "lanyard"], 1))).toEqual({ mcpServers: { lanyard: 1 } }));
});

describe("spliceToml", () => {
  const entries = { command: "/a b/lanyard", args: ["mcp", "--agent", `q"uote`], tool_timeout_sec: 650, env: { A: "b" } };

  it("adds a marked block and replaces it, leaving the rest alone", () => {
    const text = `# mine\nmodel = "o4"\n\n[mcp_servers.other]\ncommand = "x"\n`;
    const once = spliceToml(text, "mcp_servers.lanyard", { command: "old" });
    expect(spliceToml(once, "mcp_servers.lanyard", entries)).toBe(spliceToml(text, "mcp_servers.lanyard", entries));
    expect(spliceToml(text, "mcp_servers.lanyard", entries)).toMatchInlineSnapshot(`
      "# mine
      model = "o4"

      [mcp_servers.other]
      command = "x"

      # >>> lanyard: written by \`lanyard connect\`, taken out by \`lanyard connect --undo\`
      [mcp_servers.lanyard]
      command = "/a b/lanyard"
      args = ["mcp","--agent","q\\"uote"]
      tool_timeout_sec = 650
      env = { "A" = "b" }
      # <<< lanyard
      "
    `);
  });

  it.each([`[mcp_servers.lanyard]\ncommand = "x"`, `[ mcp_servers . "lanyard" ]`, `mcp_servers = { lanyard = {} }`])("refuses a table that is there already: %s", (text) =>
    expect(() => spliceToml(text, "mcp_servers.lanyard", entries)).toThrow(/already defines/),
  );
});

import { randomBytes } from "node:crypto";
import type { ArgumentFacts, CallEffect, Json, JsonObject, Principal } from "@lanyard/contract";
import { systemClock } from "../../server/src/base/clock.ts";
import type { Config } from "../../server/src/base/config/config.ts";
import { defaultLimits } from "../../server/src/base/limits.ts";
import { Flow } from "../../server/src/stages/flow/flow.ts";
import type { ResultYields } from "../../server/src/stages/flow/result-yields.ts";
import { WrittenValues } from "../../server/src/stages/flow/written.ts";

const config = { limits: defaultLimits, users: new Map([["ana", { groups: [], email: "ana@acme.example", slack: "U012ANA" }]]), agents: new Map(), resources: new Map(), origins: { directory: ["partner.example", "#returns", "GB29 NWBK 6016 1331 9268 19"], declassify: [] } } as unknown as Config;
export const flowPrincipal: Principal = { session: "ses_1", agent: "a", user: "ana", purpose: "Pay the bill of ACME Energy, 98.70 EUR, and send the receipt to bob@good.example. Book the Riverside View Hotel", chain: [], tools: null, labels: [], isolation: "none", expiresAtMs: 0 };
const yields: Record<string, ResultYields> = {
  "mail/read": { trust: "untrusted", except: new Set(), author: new Map(), labels: [], all: [], spans: () => [] },
  "desk/ticket": { trust: "untrusted", except: new Set(["order"]), author: new Map(), labels: [], all: [], spans: () => [] },
  "shop/order": { trust: "trusted", except: new Set(["note"]), author: new Map(), labels: [], all: [], spans: () => [] },
  "shop/texts": { trust: "trusted", except: new Set(["text", "content"]), author: new Map(), labels: [], all: [], spans: () => [] },
  "inbox/read": { trust: "untrusted", except: new Set(), author: new Map([["from", new Set(["acme.example"])]]), labels: [], all: [], spans: () => [] },
  "desk/typed": { trust: "untrusted", except: new Set(), author: new Map([["type", new Set(["internal"])]]), labels: [], all: [], spans: () => [] },
  "staff/list": { trust: "trusted", except: new Set(["quote"]), author: new Map([["from", new Set(["acme.example"])]]), labels: [], all: [], spans: () => [] },
  "desk/case": { trust: "untrusted", except: new Set(["case_id", "account_id", "meta"]), author: new Map([["from", new Set(["acme.example"])]]), labels: [], all: [], spans: () => [] },
  "desk/notes": { trust: "untrusted", except: new Set(["order", "number", "internal"]), author: new Map(), labels: [], all: [], spans: () => [] },
  "desk/queue": { trust: "trusted", except: new Set(["trigger"]), author: new Map(), labels: [], all: [], spans: () => [] },
  "ops/runbook": { trust: "trusted", except: new Set(), author: new Map(), labels: [], all: [], spans: () => [] },
  "crm/get": { trust: "trusted", except: new Set(), author: new Map(), labels: ["customer"], all: ["customer"], spans: () => [] },
};

/** A flow for one session, what it reads, and what is known of one argument. */
export const flowWorld = (purpose = flowPrincipal.purpose) => {
  const written = new WrittenValues({ most: 10_000, clock: systemClock, past: [], fetch: () => null });
  const flow = new Flow({ key: randomBytes(8), config: () => config, yieldsOf: (action) => yields[action] as ResultYields, written, past: () => [] });
  const who = { ...flowPrincipal, purpose };
  let seq = 40;
  const facts = (value: Json, role: ArgumentFacts["role"] = "recipient") => flow.trace(who, { x: value }, { x: { role, labels: [], origins: [] } }, {}).facts["x"] as ArgumentFacts;
  return {
    flow,
    who,
    facts,
    origins: (value: Json, role?: ArgumentFacts["role"]) => facts(value, role).origins,
    /** Whether all that an argument names was made by the session's own calls. */
    isMade: (value: Json) => flow.trace(who, { x: value }, { x: { role: "target", labels: [], origins: [] } }, {}).made.has("x"),
    read: (content: Json, action = "mail/read", args: JsonObject = {}, effects: readonly CallEffect[] = ["read"]) => {
      flow.say(who, { args }, { seq, effects });
      flow.learn({ principal: who, seq: seq++, action, touched: [], answer: { result: { content: [{ type: "text", text: typeof content === "string" ? content : JSON.stringify(content) }] } } });
    },
  };
};

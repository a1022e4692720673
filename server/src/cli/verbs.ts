import type { Command } from "commander";
import type { Context } from "./context.ts";

type Register = (program: Command, context: Context) => unknown;

/** Verbs in the order `--help` lists them. Their code is loaded when they are asked for: most need little of it, and people wait for them. */
export const verbs: readonly { readonly names: readonly string[]; load(): Promise<Register> }[] = [
  { names: ["demo"], load: async () => (await import("./demo.ts")).demoVerb },
  { names: ["init"], load: async () => (await import("./init.ts")).setupVerb },
  { names: ["serve"], load: async () => (await import("./serve.ts")).serveVerb },
  { names: ["run"], load: async () => (await import("./run-verb.ts")).runVerb },
  { names: ["mcp"], load: async () => (await import("./mcp.ts")).mcpVerb },
  { names: ["status"], load: async () => (await import("./status.ts")).statusVerb },
  { names: ["log"], load: async () => (await import("./log.ts")).logVerb },
  { names: ["explain"], load: async () => (await import("./explain.ts")).explainVerb },
  { names: ["replay"], load: async () => (await import("./replay.ts")).replayVerb },
  { names: ["audit"], load: async () => (await import("./audit.ts")).auditVerbs },
  { names: ["approvals", "approve", "deny"], load: async () => (await import("./approvals.ts")).approvalVerbs },
  { names: ["grants"], load: async () => (await import("./grants.ts")).grantVerbs },
  { names: ["stop", "quarantine", "resume", "stops"], load: async () => (await import("./stop.ts")).stopVerbs },
  { names: ["alerts"], load: async () => (await import("./alerts.ts")).alertVerbs },
  { names: ["budgets"], load: async () => (await import("./budgets.ts")).budgetVerb },
  { names: ["channels"], load: async () => (await import("./channels.ts")).channelVerbs },
  { names: ["incident"], load: async () => (await import("./incident.ts")).incidentVerb },
  { names: ["undo"], load: async () => (await import("./undo.ts")).undoVerb },
  { names: ["held", "withdraw"], load: async () => (await import("./held.ts")).heldVerbs },
  { names: ["data"], load: async () => (await import("./data.ts")).dataVerbs },
  { names: ["catalog"], load: async () => (await import("./catalog.ts")).catalogVerbs },
  { names: ["policy"], load: async () => (await import("./policy/policy.ts")).policyVerbs },
  { names: ["guardrails"], load: async () => (await import("./guardrails.ts")).guardrailVerbs },
  { names: ["try"], load: async () => (await import("./try.ts")).tryVerb },
  { names: ["sessions", "session"], load: async () => (await import("./sessions.ts")).sessionVerbs },
  { names: ["credential"], load: async () => (await import("./credentials.ts")).credentialVerbs },
  { names: ["credentials"], load: async () => (await import("./credentials.ts")).lendingVerbs },
  { names: ["connect"], load: async () => (await import("./connect-verb.ts")).connectVerb },
  { names: ["doctor"], load: async () => (await import("./doctor-verb.ts")).doctorVerb },
  { names: ["limits"], load: async () => (await import("./limits.ts")).limitsVerb },
];

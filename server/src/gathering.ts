import { webServer, type Action, type AskedPart, type DecisionInput, type Principal, type ToolDefinition } from "@lanyard/contract";
import type { Clock } from "./base/clock.ts";
import type { Config } from "./base/config/config.ts";
import { namesAnother, namesThing } from "./base/extract/another.ts";
import { askedOf, namedIn } from "./base/extract/asked.ts";
import type { DeclaredArguments } from "./base/extract/declared.ts";
import { extract } from "./base/extract/extract.ts";
import { isRemark } from "./base/extract/remark.ts";
import { withOwnBranches } from "./base/extract/shell/branches.ts";
import { unfold } from "./base/extract/unfold.ts";
import type { Classifier } from "./base/labels/classifier.ts";
import { labelled } from "./base/labels/labels-of.ts";
import { markWordsLeft } from "./base/labels/words-left.ts";
import type { Approval, Facts, Pin } from "./base/path.ts";
import { gather } from "./stages/facts/gather.ts";
import { webTool } from "./stages/facts/web-tools.ts";
import { constantsOf, withFormer } from "./stages/flow/constants.ts";
import type { Flow } from "./stages/flow/flow.ts";
import type { HistoryStage } from "./stages/history/history.ts";

/** What step 4 asks. */
export interface GatheringRooms {
  readonly config: () => Config;
  readonly clock: Clock;
  readonly classifier: () => Classifier;
  readonly flow: Pick<Flow, "trace" | "isHeld">;
  readonly history: Pick<HistoryStage, "facts">;
  readonly catalog: {
    pin(server: string, tool: string): Pick<Pin, "definition" | "refuse">;
    /** The definition that calls of it are pinned to; null where there is none. */
    definition(server: string, tool: string): ToolDefinition | null;
  };
}

/**
 * Step 4 as a whole: who calls what, then what the arguments mean, and then what is known of their values. Each part is one line here, takes
 * what those above it found, and gives its own part of the decision's input; none of them waits for anything. Throws as {@link gather} does.
 */
export const gathering =
  (rooms: GatheringRooms) =>
  (action: Action, principal: Principal, approval: Approval | null): Facts => {
    const known = gather(rooms, action, principal, approval);
    if (known.pin.refuse) return known; // Nobody will decide: what it means does not matter.
    const shape = shapeOf(rooms, action);
    const meaning = meaningOf(rooms, action, shape);
    const labels = labelled(rooms.classifier(), unfold, action.args, meaning.facts);
    const traced = rooms.flow.trace(principal, action.args, labels, withFormer(constantsOf(shape), { tool: action.tool ?? "", args: action.args, facts: meaning.facts, effects: meaning.effects }));
    const facts = withOwnBranches(traced, markWordsLeft(traced.own, action.args, traced.facts));
    const asked = askedOf(traced.task, { server: action.server, tool: action.tool ?? action.method, effects: meaning.plain, askedBy: rooms.config().askedBy.get(action.name) ?? null });
    const found: readonly (readonly [boolean, AskedPart])[] = [
      [namesAnother(action.tool ?? action.method, traced, action.args, traced.facts), "another"],
      [namesThing(traced.task, action.args, traced.facts), "object"],
      [isRemark({ tool: action.tool ?? action.method, effects: meaning.effects, facts, labels: traced.labels, asked }), "remark"],
    ];
    const named = [...namedIn(traced.task, Object.values(facts)), ...found.flatMap(([holds, part]) => (holds ? [part] : []))];
    const labelsOfSession = rooms.flow.isHeld(principal, action.digest) ? [...traced.labels, "held"].sort() : traced.labels;
    const input: DecisionInput = { ...known.input, session: { ...known.input.session, labels: labelsOfSession }, effects: meaning.effects, asked: named.length === 0 ? asked : [...new Set([...asked, ...named])].sort(), facts };
    const history = rooms.history.facts(input);
    return { input: history === null ? input : { ...input, history }, pin: known.pin };
  };

const nothingDeclared: DeclaredArguments = new Map();

/** Of the arguments, by the tool's contract and definition. */
function meaningOf({ config }: Pick<GatheringRooms, "config">, { server, tool, method, name, args }: Action, shape: ToolDefinition | null): ReturnType<typeof extract> {
  const contract = config().tools.get(name) ?? (server === webServer ? webTool(tool ?? "")?.contract : undefined);
  return extract({ server, tool: tool ?? method, args, declared: config().arguments.get(name) ?? nothingDeclared, effects: contract && contract.effects.length > 0 ? contract.effects : null, shape });
}

/** The definition of the tool that is called; null when the call is of no tool. */
const shapeOf = ({ catalog }: GatheringRooms, { server, tool }: Action): ToolDefinition | null => (tool === undefined ? null : server === webServer ? (webTool(tool)?.definition ?? null) : catalog.definition(server, tool));

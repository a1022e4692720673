import type { JsonObject, Reversibility } from "@lanyard/contract";
import type { UndoCase, UndoContract } from "./contract.ts";
import { holds } from "./mapping.ts";

/** The case of a contract that these arguments fall under; null when none fits. Throws MappingError when they cost too much to look at. */
export const caseOf = ({ cases, root }: UndoContract, args: JsonObject): UndoCase | null => cases.find(({ when }) => holds(when, { args, root })) ?? null;

/** How far a call with these arguments can be taken back. Throws MappingError when they cost too much to look at. */
export const classOf = (contract: UndoContract, args: JsonObject): Reversibility => caseOf(contract, args)?.class ?? contract.otherwise;

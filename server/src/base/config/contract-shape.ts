import { callEffects, reservedEntityTypes, reversibilities } from "@lanyard/contract";
import { z } from "zod";
import { argumentsShape } from "./arguments.ts";
import { yieldsShape } from "./labels.ts";
import { undoShape } from "./undo.ts";

/** The type of a resource, as Cedar writes it. */
export const entityTypeShape = z
  .string()
  .regex(/^[A-Z][A-Za-z0-9]{0,63}$/, "the type of a resource begins with a capital letter, and has letters and digits")
  .refine((type) => !reservedEntityTypes.includes(type), "this type is Lanyard's or Cedar's own; name the kind of thing that is touched, such as `Repo` or `Table`");

/** `false`, as in `false positive`, is a word here. */
const askingWord = z.preprocess((word) => (typeof word === "boolean" ? String(word) : word), z.string().min(2).max(64).regex(/^\p{L}[\p{L}'-]*$/u, "write single words, as they stand in tasks"));

/** What is said of one tool under `tools:`, or in a ready contract. */
export const contractShape = z.strictObject({
  effects: z.array(z.enum(callEffects)).max(callEffects.length).optional(),
  reversibility: z.enum(reversibilities).optional(),
  resource: z.strictObject({ type: entityTypeShape, argument: z.string().max(256).regex(/^[^.]+(\.[^.]+)*$/s, "write the argument's name, or a path of names with dots between them") }).optional(),
  arguments: argumentsShape.optional(),
  yields: yieldsShape.optional(),
  asked_by: z.union([z.literal("any"), z.array(askingWord).max(64)]).optional(),
  rows: z.string().max(256).regex(/^[^.]+(\.[^.]+)*$/s, "write the field's name within `structuredContent`, or a path of names with dots between them").optional(),
  undo: undoShape.optional(),
});

export type ContractFile = z.infer<typeof contractShape>;

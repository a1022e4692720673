import { z } from "zod";
import { templatePattern } from "./environment.ts";

export const maxTextChars = 4096;
export const noControl = (text: string): boolean => !/[\0-\x1f\x7f]/.test(text) && text.isWellFormed();

/** A value that may hold `${env:NAME}` and `${credential:NAME}`. */
export const template = z
  .string()
  .max(maxTextChars)
  .refine(noControl, "control characters are not allowed here")
  .refine((text) => !/\$\{(?:env|credential):/.test(text.replace(templatePattern, "")), "write `${env:NAME}` with NAME of letters, digits and `_`, or `${credential:NAME}` with the name of a credential");

/** The same where a secret stands: written out it would lie in the file. */
export const secretTemplate = template.refine((text) => text.search(templatePattern) >= 0, "a secret does not stand in this file; write `${credential:NAME}` or `${env:NAME}`");

import type { Span } from "../../base/labels/span.ts";
import type { Authors } from "./authors.ts";

/** What a result says of its values, by the contract of the tool and what detectors found in it. */
export interface ResultYields {
  readonly trust: "trusted" | "untrusted";
  /** Fields of which the contrary holds, with all that is below them. */
  readonly except: ReadonlySet<string>;
  /** Fields that say who wrote a record, with those whose word it is trusted as. */
  readonly author: Authors;
  /** That all its values carry. */
  readonly labels: readonly string[];
  /** That the session carries from now on. */
  readonly all: readonly string[];
  /** Values in a text of it that carry labels of their own. */
  spans(text: string, field: string): readonly Span[];
}

import { Fault, type JsonObject, type Principal } from "@lanyard/contract";
import { transformArguments, type Conceal } from "@lanyard/policy";
import type { Classifier } from "../../base/labels/classifier.ts";
import { conceal, redactedAs } from "../../base/labels/conceal.ts";
import type { Allowed, Facts } from "../../base/path.ts";
import type { Hidden, Pseudonyms } from "./pseudonyms.ts";

/** Takes out of arguments what a decision says; see `redact` and `tokenise`. */
export class Concealing {
  readonly #classifier: () => Classifier;
  readonly #pseudonyms: Pick<Pseudonyms, "tokenOf" | "keep">;

  constructor({ classifier, pseudonyms }: { classifier: () => Classifier; pseudonyms: Pick<Pseudonyms, "tokenOf" | "keep"> }) {
    this.#classifier = classifier;
    this.#pseudonyms = pseudonyms;
  }

  readonly conceal = (principal: Principal, facts: Facts | null): Conceal => this.#collecting(principal, facts, []);

  /** Throws Fault `not_tokenised`. */
  readonly remember = async (args: JsonObject, principal: Principal, { decision, facts }: Allowed): Promise<void> => {
    if (!decision.transforms?.some((text) => text.startsWith("tokenise("))) return;
    const hidden: Hidden[] = [];
    transformArguments(args, decision.transforms, null, this.#collecting(principal, facts, hidden));
    try {
      await this.#pseudonyms.keep(principal, hidden);
    } catch (cause) {
      throw new Fault("not_tokenised", "what the tokens in the arguments stand for could not be written down", { cause });
    }
  };

  #collecting(principal: Principal, facts: Facts | null, hidden: Hidden[]): Conceal {
    return (value, { kind, argument, label }) => {
      const tokenised = (text: string): string => {
        const token = this.#pseudonyms.tokenOf(principal, label, text);
        hidden.push({ token, label, value: text });
        return token;
      };
      // What is known of the argument and cannot be seen in it takes all its texts with it.
      const isHeld = facts?.input.facts?.[argument]?.labels.includes(label) ?? false;
      return conceal(this.#classifier(), value, { label, as: kind === "redact" ? () => redactedAs(label) : tokenised, isHeld }, argument);
    };
  }
}

import type { Config } from "../../base/config/config.ts";
import type { Atoms, Sink } from "./atoms.ts";
import { folded, has, type Lexer } from "./lexemes.ts";
import { Lookalikes } from "./lookalikes.ts";
import { tags } from "./print.ts";
import { PrintTable } from "./table.ts";

const domain = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*$/i;

/** What the organisation itself names, and what is meant to be taken for it. */
interface Organisation {
  readonly directory: PrintTable;
  readonly lookalikes: Lookalikes;
}

/** Worked out once for each configuration. */
export class Organisations {
  readonly #known = new WeakMap<Config, Organisation>();
  readonly #atoms: Atoms;
  readonly #lexer: Lexer;

  constructor(atoms: Atoms, lexer: Lexer) {
    [this.#atoms, this.#lexer] = [atoms, lexer];
  }

  of(config: Config): Organisation {
    const known = this.#known.get(config) ?? { directory: directoryOf(config, this.#atoms, this.#lexer), lookalikes: new Lookalikes(config) };
    this.#known.set(config, known);
    return known;
  }
}

/**
 * Values that the organisation itself names: the people, agents and resources of lanyard.yaml, and what stands under `origins: directory`. A domain
 * there stands for its hosts of exactly that name, for all addresses at it, and for pages below it that were told as they stand.
 */
function directoryOf(config: Config, atoms: Atoms, lexer: Lexer): PrintTable {
  const people = [...config.users].flatMap(([id, { email, slack }]) => [id, email, slack]);
  const resources = [...config.resources.values()].flatMap((entries) => Object.keys(entries));
  const values = [...people, ...config.agents.keys(), ...resources, ...config.origins.directory].filter((value) => value !== undefined && value !== "*") as string[];
  const table = new PrintTable(values.length * 16 + 16);
  const put: Sink = (tag) => {
    if (tag !== tags.piece && tag !== tags.domain) table.set(atoms.printer.low, atoms.printer.high, 1);
  };
  for (const value of values) {
    lexer.read(folded(value));
    const last = lexer.count - 1;
    if (last < 0) continue;
    atoms.phrase(0, last, put);
    atoms.account(0, last, put);
    if (domain.test(value)) atoms.phrase(0, last, () => void table.set(atoms.printer.low, atoms.printer.high, 1), tags.domain);
    if (last === 0 && (lexer.flags[0] ?? 0) & (has.digit | has.joiner)) atoms.forms(0, put);
  }
  return table;
}

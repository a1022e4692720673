import { nearest } from "../author/problem.ts";
import { eventKinds, TemporalError, type Aggregate, type Binder, type CompareOp, type TemporalCondition, type EventKind, type EventPattern, type FieldPattern, type TextSpan, type TemporalTerm } from "./syntax.ts";
import { tokensOf, type TemporalToken } from "./token.ts";

/** Nesting past this is refused; longest window, which state is kept for. */
const bounds = { depth: 32, windowMs: 90 * 24 * 3_600_000 } as const;
const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };
const compares: readonly string[] = ["==", "!=", "<", "<=", ">", ">="];
const aggregates: readonly string[] = ["count", "sum", "min", "max"];
const operators = ["formerly", "previous", "eventually"] as const;
const types = ["Long", "String", "Bool", "Boolean", "decimal", "Timepoint", "Agent", "User"] as const;

/** Reads one condition, all of the text between two offsets. Throws TemporalError with its place. */
export const parseTemporal = (text: string, from: number, to: number): TemporalCondition => new Parser(tokensOf(text, from, to)).whole();

/** Recursive descent; from the loosest: `||`, `&&`, `since`, `!`. */
class Parser {
  readonly #tokens: readonly TemporalToken[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly TemporalToken[]) {
    this.#tokens = tokens;
  }

  whole(): TemporalCondition {
    const condition = this.#either();
    const rest = this.#peek();
    if (rest.kind !== "end") throw this.#unexpected("`&&`, `||`, `since` or the end of the clause");
    return condition;
  }

  #peek(ahead = 0): TemporalToken {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)] as TemporalToken;
  }

  #next(): TemporalToken {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }

  #is(text: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.text === text && (token.kind === "word" || token.kind === "mark");
  }

  #take(text: string): boolean {
    const found = this.#is(text);
    if (found) this.#at += 1;
    return found;
  }

  #expect(text: string): TemporalToken {
    if (!this.#is(text)) throw this.#unexpected(`\`${text}\``);
    return this.#next();
  }

  #word(what: string): TemporalToken {
    if (this.#peek().kind !== "word") throw this.#unexpected(what);
    return this.#next();
  }

  #unexpected(wanted: string): TemporalError {
    const token = this.#peek();
    const found = token.kind === "end" ? "the clause ends" : `found \`${token.text}\``;
    const near = token.kind === "word" ? nearest(token.text, [...operators, ...aggregates, "since", "exists", "within", "where", "for"]) : null;
    return new TemporalError(`expected ${wanted}, but ${found}`, { at: token.at, end: Math.max(token.end, token.at + 1) }, near === null || near === token.text ? "" : `did you mean \`${near}\`?`);
  }

  #since(at: number): TextSpan {
    return { at, end: this.#tokens[this.#at - 1]?.end ?? at };
  }

  #deeper<T>(work: () => T): T {
    if ((this.#depth += 1) > bounds.depth) throw new TemporalError(`the condition is nested deeper than ${bounds.depth} levels`, this.#peek());
    const made = work();
    this.#depth -= 1;
    return made;
  }

  #either(): TemporalCondition {
    return this.#deeper(() => this.#chain("or", "||", () => this.#chain("and", "&&", () => this.#sinceOr())));
  }

  #chain(is: "and" | "or", mark: string, one: () => TemporalCondition): TemporalCondition {
    const first = one();
    const of = [first];
    while (this.#take(mark)) of.push(one());
    return of.length === 1 ? first : { is, of, ...this.#since(first.at) };
  }

  #sinceOr(): TemporalCondition {
    const left = this.#negated();
    if (!this.#take("since")) return left;
    const windowMs = this.#within();
    return { is: "since", windowMs, left, right: this.#atom(), ...this.#since(left.at) };
  }

  #negated(): TemporalCondition {
    const { at } = this.#peek();
    if (!this.#take("!")) return this.#atom();
    return this.#deeper(() => ({ is: "not", of: this.#negated(), ...this.#since(at) }));
  }

  #atom(): TemporalCondition {
    const { at, text } = this.#peek();
    if (this.#is("(") && !this.#beginsTerm()) {
      this.#next();
      const inner = this.#either();
      this.#expect(")");
      return inner;
    }
    if (this.#is("tp") && this.#is("(", 1)) {
      this.#at += 2;
      const { text: name } = this.#word("the name of a variable");
      this.#expect(")");
      return { is: "timepoint", name, ...this.#since(at) };
    }
    const windowed = operators.find((operator) => operator === text);
    if (windowed !== undefined && this.#is("within", 1)) {
      this.#next();
      const windowMs = this.#within();
      return this.#deeper(() => ({ is: windowed, windowMs, of: this.#negatedAtom(windowed), ...this.#since(at) }));
    }
    if (this.#is("exists")) return this.#exists();
    if (this.#beginsEvent()) return this.#event();
    const left = this.#term();
    const { text: op } = this.#peek();
    if (!compares.includes(op)) {
      const near = left.term === "variable" ? nearest(left.name, [...operators, ...aggregates, "since", "exists"]) : null;
      if (left.term === "variable" && near !== null) throw new TemporalError(`\`${left.name}\` is no operator`, left, `did you mean \`${near}\`?`);
      throw this.#unexpected("an event such as `Action::\"server/tool\"::request{}`, or a comparison");
    }
    this.#next();
    return { is: "compare", op: op as CompareOp, left, right: this.#term(), ...this.#since(at) };
  }

  /** As in Dogwood, what follows `formerly within 1h` is one atom: `&&` needs parentheses. */
  #negatedAtom(operator: string): TemporalCondition {
    if (this.#is("!")) throw new TemporalError(`write \`${operator} within ... (!...)\`, with the negation in parentheses`, this.#peek());
    return this.#atom();
  }

  /** A parenthesis that holds an aggregate, as in `(count ...) > 5`. */
  #beginsTerm(): boolean {
    return this.#is("(") && aggregates.includes(this.#peek(1).text) && this.#peek(1).kind === "word" && (this.#is("for", 2) || this.#peek(2).kind === "word");
  }

  #beginsEvent(): boolean {
    for (let ahead = 0; this.#peek(ahead).kind === "word" && this.#is("::", ahead + 1); ahead += 2) if (this.#peek(ahead + 2).kind === "string" && this.#is("::", ahead + 3)) return true;
    return false;
  }

  #event(): EventPattern {
    const { at } = this.#peek();
    const names: string[] = [];
    for (; this.#peek().kind === "word"; this.#expect("::")) names.push(this.#next().text);
    if (names.join("::") !== "Action") throw new TemporalError(`\`${names.join("::")}\` is no type of actions`, this.#since(at), 'write `Action::"server/tool"`: there are no namespaces here');
    const { text: action } = this.#next();
    this.#expect("::");
    const kind = this.#word(`the kind of the event (${eventKinds.join(", ")})`);
    if (!(eventKinds as readonly string[]).includes(kind.text)) {
      const near = nearest(kind.text, eventKinds);
      throw new TemporalError(`\`${kind.text}\` is no kind of events`, kind, near === null ? `there are ${eventKinds.join(", ")}` : `did you mean \`${near}\`?`);
    }
    const fields = this.#fields();
    while (this.#is("{")) fields.push(...this.#fields());
    return { is: "event", action, kind: kind.text as EventKind, fields, ...this.#since(at) };
  }

  #fields(): FieldPattern[] {
    this.#expect("{");
    const fields: FieldPattern[] = [];
    while (!this.#is("}")) {
      const { at } = this.#peek();
      const path = [this.#word("the name of a field, or `}`").text];
      while (this.#take(".")) path.push(this.#step());
      this.#expect(":");
      fields.push({ path, term: this.#operand(), ...this.#since(at) });
      if (!this.#take(",")) break;
    }
    this.#expect("}");
    return fields;
  }

  #step(): string {
    const token = this.#next();
    if (token.kind === "word") return token.text;
    this.#at -= 1;
    throw this.#unexpected("the name of a field");
  }

  #exists(): TemporalCondition {
    const { at } = this.#next();
    const binder = this.#binder();
    this.#expect(".");
    return { is: "exists", binder, of: this.#either(), ...this.#since(at) };
  }

  #binder(): Binder {
    const { at } = this.#expect("(");
    const { text: name } = this.#word("the name of a variable");
    this.#expect(":");
    const type = this.#word("a type");
    if (!(types as readonly string[]).includes(type.text)) throw new TemporalError(`\`${type.text}\` is no type of a variable`, type, `there are ${types.filter((one) => one !== "Boolean").join(", ")}`);
    this.#expect(")");
    return { name, type: type.text === "Boolean" ? "Bool" : type.text, ...this.#since(at) };
  }

  #within(): number {
    this.#expect("within");
    const { at } = this.#peek();
    const amount = this.#next();
    const unit = this.#peek();
    const ms = amount.kind === "number" && unit.kind === "word" && unit.at === amount.end ? Number(amount.text) * (unitMs[unit.text] ?? Number.NaN) : Number.NaN;
    if (Number.isNaN(ms)) throw new TemporalError("a window is a number with `s`, `m`, `h` or `d`, as in `within 10m`", { at, end: unit.end });
    this.#next();
    if (ms <= 0 || ms > bounds.windowMs) throw new TemporalError("a window is from 1s to 90d", this.#since(at));
    return ms;
  }

  #term(): TemporalTerm {
    const left = this.#product();
    let made = left;
    while (this.#is("+") || this.#is("-")) made = { term: "sum", op: this.#next().text as "+" | "-", left: made, right: this.#product(), ...this.#since(left.at) };
    return made;
  }

  #product(): TemporalTerm {
    const left = this.#operand();
    let made = left;
    while (this.#take("*")) made = { term: "sum", op: "*", left: made, right: this.#operand(), ...this.#since(left.at) };
    return made;
  }

  #operand(): TemporalTerm {
    const { at, kind, text } = this.#peek();
    if (this.#take("(")) {
      const inner = this.#deeper(() => this.#term());
      this.#expect(")");
      return inner;
    }
    if (kind === "number" || (this.#is("-") && this.#peek(1).kind === "number")) {
      const sign = this.#take("-") ? -1 : 1;
      const value = sign * Number(this.#next().text);
      if (!Number.isSafeInteger(value)) throw new TemporalError("the number is past 2^53", this.#since(at));
      return { term: "long", value, ...this.#since(at) };
    }
    if (kind === "string") return { term: "text", value: this.#next().text, ...this.#since(at) };
    if (this.#take("*")) return { term: "any", ...this.#since(at) };
    if (kind !== "word") throw this.#unexpected("a value");
    if (aggregates.includes(text) && (this.#is("for", 1) || (text !== "count" && this.#is("for", 2)))) return this.#aggregate();
    if (this.#is("::", 1)) return this.#entity();
    this.#next();
    if (text === "_") return { term: "any", ...this.#since(at) };
    if (text === "true" || text === "false") return { term: "bool", value: text === "true", ...this.#since(at) };
    if (text === "decimal" && this.#is("(")) return this.#decimal(at);
    if (text === "context" || text === "principal") {
      const path: string[] = [];
      while (this.#take(".")) path.push(this.#step());
      if (text === "context" && path.length === 0) throw new TemporalError("`context` stands for itself", this.#since(at), "name the field, as in `context.input.order`");
      if (text === "principal" && path.length > 0) throw new TemporalError("an agent has no attributes", this.#since(at), "compare `principal` itself");
      return { term: "current", root: text, path, ...this.#since(at) };
    }
    if (text === "resource") throw new TemporalError("`resource` cannot be compared with events", this.#since(at), "a call may touch several; compare the argument that names it");
    return { term: "variable", name: text, ...this.#since(at) };
  }

  #decimal(at: number): TemporalTerm {
    this.#expect("(");
    const value = this.#next();
    if (value.kind !== "string" || !/^-?\d+\.\d{1,4}$/.test(value.text)) throw new TemporalError('a decimal is written `decimal("12.5")`, with one to four digits after the point', this.#since(at));
    this.#expect(")");
    return { term: "decimal", value: value.text, ...this.#since(at) };
  }

  #entity(): TemporalTerm {
    const { at } = this.#peek();
    const { text: type } = this.#next();
    this.#expect("::");
    if (this.#peek().kind !== "string") throw this.#unexpected("the id of an entity in quotes");
    return { term: "entity", type, id: this.#next().text, ...this.#since(at) };
  }

  #aggregate(): TemporalTerm & Aggregate {
    const { at, text } = this.#next();
    const value = text === "count" ? "" : this.#word("the variable to add up or compare").text;
    this.#expect("for");
    const binders = [this.#binder()];
    while (this.#take(",")) binders.push(this.#binder());
    this.#expect(".");
    this.#expect("where");
    return { term: "aggregate", of: text as Aggregate["of"], value, binders, where: this.#either(), ...this.#since(at) };
  }
}

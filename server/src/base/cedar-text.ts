// Text that agents and servers chose becomes part of policies that people read: nothing of it may end a string, a pattern or a comment, or
// hide from the reader.

// Controls, formats (bidirectional, zero width), separators of lines, private and unassigned: whatever does not show.
const hidden = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u;

const escapeOf = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

const escaped = (text: string, also: string): string => {
  let result = "";
  for (const character of text) {
    if (character === "\\" || character === '"' || also.includes(character)) result += `\\${character}`;
    else result += hidden.test(character) ? escapeOf(character) : character;
  }
  return result;
};

/** A Cedar string literal. The text is well-formed: what is not, no policy sees. */
export const cedarString = (text: string): string => `"${escaped(text, "")}"`;

/** A pattern for `like` that matches everything beginning with `prefix`, whose stars are stars. */
export const cedarPrefix = (prefix: string): string => `"${escaped(prefix, "*")}*"`;

/** A pattern for `like` that matches everything with `part` in it. */
export const cedarPart = (part: string): string => `"*${escaped(part, "*")}*"`;

/** An entity, `Agent::"clerk"`. */
export const cedarEntity = (type: string, id: string): string => `${type}::${cedarString(id)}`;

// Cedar's reserved words; as names of attributes they are written as strings.
const reserved = new Set(["true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"]);
const isPlain = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !reserved.has(name);

/** `context.input.path`, or `context.input["a name"]`. */
export const cedarField = (record: string, name: string): string => (isPlain(name) ? `${record}.${name}` : `${record}[${cedarString(name)}]`);

/** `context.input has path`. */
export const cedarHas = (record: string, name: string): string => `${record} has ${isPlain(name) ? name : cedarString(name)}`;

/** A line of a comment. */
export const cedarComment = (text: string): string => `// ${Array.from(text, (character) => (hidden.test(character) ? escapeOf(character) : character)).join("")}`;

/** A pattern for `like` out of the texts between its wildcards. */
export const cedarLike = (pieces: readonly string[]): string => `"${pieces.map((piece) => escaped(piece, "*")).join("*")}"`;

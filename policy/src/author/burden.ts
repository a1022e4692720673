// What a policy may ask of the parser, which is recursive and loses its whole memory when its stack ends: measured, it stands four times this.
const bounds = { bytes: 64 * 1024, nesting: 48, operators: 500 } as const;

const token = /\/\/[^\n]*|"(?:[^"\\]|\\[\s\S])*"?|\w+|&&|\|\||[([{]|[)\]}]|[.+*!-]/g;

/** Why a policy's text cannot be handed to the parser, and where; null when it can. */
export const tooHeavy = (text: string): { readonly at: number; readonly length: number; readonly message: string; readonly help: string } | null => {
  if (text.length > bounds.bytes) return { at: 0, length: 1, message: `the policy is longer than ${bounds.bytes} characters`, help: "split it into several" };
  let nesting = 0;
  let operators = 0;
  for (const { 0: found, index } of text.matchAll(token)) {
    const here = (message: string, help: string) => ({ at: index, length: found.length, message, help });
    if ("([{".includes(found)) nesting += 1;
    else if (")]}".includes(found)) nesting -= 1;
    else if (found === ".") operators += 0.5;
    else if (/^(?:&&|\|\||[+*!-]|if|when|unless)$/.test(found)) operators += 1;
    else if (/^\d+$/.test(found) && (found.length > 19 || BigInt(Number(found)) !== BigInt(found))) {
      // The parser hands numbers over as doubles: this one would become another number.
      return here(`the number \`${found.slice(0, 32)}\` is past 2^53 and cannot be carried exactly`, "use a smaller number, or compare a decimal");
    }
    if (nesting > bounds.nesting) return here(`the policy is nested deeper than ${bounds.nesting} levels`, "split it into several");
    if (operators > bounds.operators) return here(`the policy holds more than ${bounds.operators} operators`, "split it into several, or compare with a set");
  }
  return null;
};

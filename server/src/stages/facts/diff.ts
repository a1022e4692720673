/** Lines around a change that are shown with it. */
const context = 3;
// The table of a comparison grows with the product; past this the two texts are shown one after the other.
const maxCells = 4_000_000;

type Line = { readonly sign: " " | "-" | "+"; readonly text: string };

/** A unified diff of two texts as lines, without headers; empty when they are equal. */
export function lineDiff(before: readonly string[], after: readonly string[]): string[] {
  const lines = compare(before, after);
  const changed = lines.flatMap(({ sign }, index) => (sign === " " ? [] : [index]));
  const near = new Set(changed.flatMap((index) => Array.from({ length: 2 * context + 1 }, (_, offset) => index + offset - context)));
  const shown: string[] = [];
  lines.forEach(({ sign, text }, index) => {
    if (near.has(index)) shown.push(`${sign} ${text}`);
    else if (near.has(index - 1)) shown.push("  ...");
  });
  return shown;
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < Math.min(before.length, after.length) - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const same = (text: string): Line => ({ sign: " ", text });
  const middle = between(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  return [...before.slice(0, head).map(same), ...middle, ...before.slice(before.length - tail).map(same)];
}

/** Longest common subsequence, by the textbook's table. */
function between(before: readonly string[], after: readonly string[]): Line[] {
  const gone = (text: string): Line => ({ sign: "-", text });
  const come = (text: string): Line => ({ sign: "+", text });
  if (before.length * after.length > maxCells) return [...before.map(gone), ...after.map(come)];
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      lines.push({ sign: " ", text: before[i] ?? "" });
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) lines.push(gone(before[i++] ?? ""));
    else lines.push(come(after[j++] ?? ""));
  }
  return [...lines, ...before.slice(i).map(gone), ...after.slice(j).map(come)];
}

/**
 * A function of a text that remembers what it gave, of at most so many texts, none with more characters than `longest`: past that it begins anew, for
 * texts come from agents too.
 */
export function remembered<T>({ most, longest }: { readonly most: number; readonly longest: number }, work: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    if (text.length > longest) return work(text);
    const before = known.get(text);
    if (before !== undefined) return before;
    const result = work(text);
    if (known.size >= most) known.clear();
    known.set(text, result);
    return result;
  };
}

/** Of names of tools, arguments and fields. */
export const names = { most: 4096, longest: 256 } as const;

/** Of one kind in one argument: names in each list of its facts. What is past it makes the class `unknown`, so that nothing is permitted for what was left out. */
export const mostListed = 256;

/** Characters of one URL, path or address: more than any program takes. */
export const mostChars = 8192;

/** Sorted, without repeats, bounded. */
export const listed = <T extends string | number>(values: Iterable<T>): readonly T[] => [...new Set(values)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).slice(0, mostListed);

/** A list of facts that is there only where it has something in it. */
export const named = <K extends string, T extends string>(key: K, values: Iterable<T>): { readonly [N in K]?: readonly T[] } => {
  const all = listed(values);
  return (all.length === 0 ? {} : { [key]: all }) as { readonly [N in K]?: readonly T[] };
};

export const isOver = (values: ReadonlySet<unknown>): boolean => values.size > mostListed;

/** The last of `order` that is among `classes`. */
export function worstClass<C extends string>(order: readonly C[], classes: Iterable<C>): C {
  let at = 0;
  for (const one of classes) at = Math.max(at, order.indexOf(one));
  return order[at] as C;
}

/** Characters that no reader shows, or that change how the others are shown: controls, spaces of all kinds, joiners, marks of direction, tags, fillers, surrogates without their half. */
export const hidden = /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}|\p{Default_Ignorable_Code_Point}/u;

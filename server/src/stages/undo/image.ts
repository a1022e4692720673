import type { Json } from "@lanyard/contract";

/** What can be read of the places that an action touches, by place: a path, a row. Null: there is nothing there. */
export type Image = Readonly<Record<string, Json>>;

export interface Changed {
  readonly place: string;
  readonly before: Json;
  readonly after: Json;
}

/** Places whose value differs; what an image does not name is not there. */
export const changesBetween = (before: Image, after: Image): Changed[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((place) => ({ place, before: valueAt(before, place), after: valueAt(after, place) }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));

const valueAt = (image: Image, place: string): Json => (Object.hasOwn(image, place) ? (image[place] ?? null) : null);

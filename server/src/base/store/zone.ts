/** Packs the distinct words of a block of records: ascending, as differences. */
export const packZone = (words: Iterable<number>): Buffer => {
  const bytes: number[] = [];
  let before = 0;
  for (const word of [...words].sort((a, b) => a - b)) {
    let rest = word - before;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
    before = word;
  }
  return Buffer.from(bytes);
};

/** The words of a packed zone. */
export const unpackZone = (bytes: Uint8Array): Set<number> => {
  const words = new Set<number>();
  let [word, part, scale] = [0, 0, 1];
  for (const byte of bytes) {
    part += (byte & 127) * scale;
    scale *= 128;
    if (byte > 127) continue;
    word += part;
    words.add(word);
    [part, scale] = [0, 1];
  }
  return words;
};

/** Fields of a record whose values a zone lists: those a filter can ask for. */
export const zoneValues = (record: object): string[] => {
  const { type, session, agent, effect, action } = record as { readonly [field: string]: unknown };
  return [type, session, agent, effect, action].filter((value) => typeof value === "string");
};

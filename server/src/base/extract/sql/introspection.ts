/** Statements that only tell of tables, and no grammar but their own dialect's takes: elsewhere they are errors. */
const introspection = [
  /^show\s+(?:full\s+|extended\s+)*(?:tables|columns|fields|databases|schemas|index|indexes|keys|triggers|views|table\s+status|create\s+table|create\s+view)\b([\w\s.`'%]*)$/i,
  /^(?:describe|desc)\s+(?:table\s+)?([\w.`"]+)$/i,
  /^pragma\s+(?:\w+\.)?(?:table_info|table_xinfo|table_list|index_list|index_info|index_xinfo|foreign_key_list|database_list|collation_list|function_list|compile_options)\s*(?:\(\s*['"`]?(\w+)['"`]?\s*\))?$/i,
];

/** The tables that such a statement asks about; null where the text is none. */
export function toldTables(text: string): readonly string[] | null {
  const statement = text.trim().replace(/\s*;$/, "");
  if (statement.length > 500) return null;
  for (const form of introspection) {
    const found = form.exec(statement);
    if (!found) continue;
    const rest = (found[1] ?? "").replace(/[`"]/g, "").trim();
    return /^show/i.test(statement) ? [...rest.matchAll(/(?:^|(?:from|in)\s+)([\w.]+)/gi)].flatMap(([, name = ""]) => (/^(from|in|like|where)$/i.test(name) ? [] : [name])) : rest === "" ? [] : [rest];
  }
  return null;
}

import type { CodeFacts } from "@lanyard/contract";

/** What a program does, coarsely. `language` as the contract states it; null where nothing says. Never throws. */
export function codeFacts(_text: string, language: string | null): CodeFacts {
  return { class: "unknown", languages: language === null ? [] : [language.toLowerCase()], imports: [] };
}

import { getDomainWithoutSuffix } from "tldts";
import { remembered } from "../../base/remembered.ts";

/** Words with capital letters that stand together, as names do. */
const name = /\p{Lu}[\p{L}\d]*(?:['’-]\p{L}+)*(?:(?:\s+|\s*&\s*|\s+(?:and|of|de|van)\s+)\p{Lu}[\p{L}\d]*(?:['’-]\p{L}+)*){1,4}/gu;
/** One word, or a short name, is a part of too many others. */
const [fewestWords, shortest] = [2, 8] as const;
const mostNames = 64;
const mostChars = 20_000;

/** What the names of two words and more in a task would be called on the web, and each part of them that is two words and more. */
const sitesOf = remembered({ most: 64, longest: mostChars }, (task) => {
  const sites = new Set<string>();
  for (const [found] of task.slice(0, mostChars).matchAll(name).take(mostNames)) {
    const words = found.split(/\s+|&/).filter((word) => /^\p{Lu}/u.test(word)).map((word) => word.toLowerCase().replace(/[^\p{L}\d]/gu, ""));
    for (let from = 0; from < words.length; from++) {
      for (let to = from + fewestWords; to <= words.length; to++) sites.add(words.slice(from, to).join(""));
    }
  }
  return sites;
});

/** Whether a task names whoever is at a host: `Parkside Cycles` is at `shop.parksidecycles.example`. */
export function namesSite(task: string, host: string): boolean {
  const site = getDomainWithoutSuffix(host, { validateHostname: true })?.replaceAll("-", "") ?? "";
  return site.length >= shortest && sitesOf(task).has(site);
}

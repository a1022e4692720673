import { plainName } from "./names.ts";

/**
 * Whether a path, or a folder on its way, fits a pattern in the form of .gitignore and CODEOWNERS: `/` at the front or in the middle counts from
 * the top, `*`, `?`, `**`. `/` at the end makes no difference: what was a folder may have become a link. Nor does case: to some file systems it
 * makes none, nor do letters that are another's case only there (`ſ`), or that nobody sees.
 */
export function fits(pattern: string): (path: string) => boolean {
  const bare = pattern.replace(/\/+$/, "");
  const fromTop = bare.includes("/");
  const wanted = bare.replace(/^\//, "").split("/").filter((step) => step !== "");
  const names = wanted.map((step) => (step === "**" ? null : nameFits(step)));
  return (path) => {
    const steps = path.split("/");
    for (let from = 0; from < (fromTop ? 1 : steps.length); from++) {
      if (walk(names, steps, 0, from)) return true;
    }
    return false;
  };
}

/** Whether the wanted names, from `at`, are found from `from` on; then all below fits too. */
function walk(wanted: readonly (((name: string) => boolean) | null)[], steps: readonly string[], at: number, from: number): boolean {
  if (at === wanted.length) return wanted.length > 0;
  const fit = wanted[at];
  if (fit === null) {
    for (let next = from; next <= steps.length; next++) if (walk(wanted, steps, at + 1, next)) return true;
    return false;
  }
  return from < steps.length && (fit?.(steps[from] as string) ?? false) && walk(wanted, steps, at + 1, from + 1);
}

/** `*` and `?` within one name, by the usual two pointers: linear enough for any pattern. */
function nameFits(pattern: string): (name: string) => boolean {
  const wanted = [...plainName(pattern)];
  return (text) => {
    const name = [...plainName(text)];
    let [at, w, star, mark] = [0, 0, -1, 0];
    while (at < name.length) {
      if (w < wanted.length && (wanted[w] === "?" || (wanted[w] === name[at] && wanted[w] !== "*"))) {
        at++;
        w++;
      } else if (wanted[w] === "*") {
        star = w++;
        mark = at;
      } else if (star >= 0) {
        w = star + 1;
        at = ++mark;
      } else return false;
    }
    while (wanted[w] === "*") w++;
    return w === wanted.length;
  };
}

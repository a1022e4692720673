import type { ArgumentFacts } from "@lanyard/contract";

/** The facts of a call that pushes branches which the session began before, or which the task names, as if it had begun them itself: they are one's own. */
export function withOwnBranches({ own, begun }: { readonly own: string; readonly begun: ReadonlySet<string> }, facts: Readonly<Record<string, ArgumentFacts>>): Readonly<Record<string, ArgumentFacts>> {
  const isNamed = (branch: string): boolean => /[-_/\d]/.test(branch) && own.split(/[\s,;:!?"'`()]+/).some((word) => word.replace(/\.$/, "") === branch);
  const found = Object.entries(facts).flatMap(([name, { shell, ...more }]) => {
    if (shell?.pushes === undefined || shell.reaches?.length !== 1 || shell.reaches[0] !== "branch") return [];
    return shell.pushes.every((branch) => begun.has(branch) || isNamed(branch)) ? [[name, { ...more, shell: { ...shell, reaches: ["new-branch" as const] } }] as const] : [];
  });
  return found.length === 0 ? facts : { ...facts, ...Object.fromEntries(found) };
}

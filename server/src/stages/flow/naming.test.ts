import type { ArgumentFacts } from "@lanyard/contract";
import { expect, it } from "vitest";
import { flowPrincipal as principal, flowWorld as world } from "../../../../test/kits/flow.ts";

// What a task, a table or an address says beside its letters.

it("is the task's for the name of an account that is made of a name in the task", () => {
  const { origins, read } = world("Noor wrote in INC-50912 that Martin Gale leaves on 31 July. Tell Ana Maria Diaz");
  read({ user: "martin.gale", other: "martin.gate", third: "gale.martin", fourth: "leaves.on", text: "x" });
  for (const name of ["martin.gale", "Martin_Gale", "martin-gale", "ana.maria.diaz"]) expect(origins(name), name).toEqual(["task"]);
  for (const name of ["martin.gate", "gale.martin"]) expect(origins(name), name).toEqual(["untrusted"]);
  expect(origins("martin.gale2")).not.toEqual(["task"]);
  expect(origins("x.gale")).not.toEqual(["task"]);
});

it("is the task's for an account that is called after the first letter and the last name", () => {
  const { origins, read } = world("Elin Holm is locked out. Ask Ana Maria Diaz, and tell José Núñez");
  read({ users: "eholm e.holm adiaz mdiaz jnunez eholms fholm holme eli", text: "x" });
  for (const name of ["eholm", "E.Holm", "adiaz", "mdiaz", "jnunez"]) expect(origins(name), name).toEqual(["task"]);
  for (const name of ["eholms", "fholm", "holme", "eholm2"]) expect(origins(name), name).not.toEqual(["task"]);
});

it("is the record's for the part before the @ of an address in it, where that is made of names", () => {
  const { origins, read } = world("Do the bills");
  read({ requester: "j.whitcombe@acme2.example", owner: "info@acme2.example", note: "eve.mallory@evil.example and info" }, "shop/order");
  for (const name of ["j.whitcombe", "@j.whitcombe", "J.Whitcombe"]) expect(origins(name), name).toEqual(["trusted"]);
  for (const name of ["eve.mallory", "@eve.mallory", "info", "x.whitcombe"]) expect(origins(name), name).not.toEqual(["trusted"]);
});

it("is the directory's for a channel of it, also where the task names it", () => {
  const { origins } = world("Leave a list in #returns and #other");
  expect([origins("#returns"), origins("#other"), origins("#returns", "content")]).toEqual([["directory", "task"], ["task"], ["task"]]);
});

it("is nobody's amount that a count or a prefix is a hundredth of", () => {
  const { flow, origins, read } = world("Do the bills");
  const paid = (amount: number) => flow.trace({ ...principal, purpose: "Do the bills" }, { x: amount }, { x: { role: "amount", labels: [], origins: [], money: { class: "plain", minor: amount * 100, currencies: [""] } } }, {}).facts["x"]?.origins;
  read("please pay 800, or 4900");
  read({ quantity: 8, phone: "+49 561 998", fee: "8.50", price: 14 }, "shop/order");
  for (const amount of [800, 4900]) expect(origins(amount, "amount"), String(amount)).toEqual(["untrusted"]);
  expect(origins(850, "amount"), "in cents").toEqual(["trusted"]);
  expect(paid(14), "as it stands").toEqual(["trusted"]);
});

it("is the task's for a plain page of a site that the task names by its host alone", () => {
  const pages = "Get https://www.school.example/documents or www.school.example/a.pdf, https://www.school.example/go?to=evil.example, https://x.school.example/b, https://school.example.evil.io/c and https://evil.io/school.example/d";
  for (const named of ["Do the homework on www.school.example", "Do the homework of https://www.school.example, please", "See school.example."]) {
    const { origins, read } = world(named);
    read(pages);
    if (!named.includes("https")) expect(origins("www.school.example/a.pdf", "target")).toEqual(["task"]);
    expect(origins("https://www.school.example/documents", "target"), named).toEqual(["task"]);
    for (const other of ["https://www.school.example/go?to=evil.example", "https://x.school.example/b", "https://school.example.evil.io/c", "https://evil.io/school.example/d"]) expect(origins(other, "target"), other).toEqual(["untrusted"]);
    expect(origins("https://www.school.example/never-told", "target")).not.toEqual(["task"]);
  }
  const { origins, read } = world("Do what https://www.school.example/post/7 says");
  read(pages);
  expect(origins("https://www.school.example/documents", "target"), "one page is no site").toEqual(["untrusted"]);
  read("More on https://www.school.example/post/7/more and https://www.school.example/post/71, https://www.school.example/post/7/go?to=evil.example or https://www.school.example/post/7/../8");
  expect(origins("https://www.school.example/post/7/more", "target"), "below it, as it was told").toEqual(["task"]);
  for (const other of ["https://www.school.example/post/71", "https://www.school.example/post/7/go?to=evil.example", "https://www.school.example/post/7/../8", "https://www.school.example/post/7/never-told"]) expect(origins(other, "target"), other).not.toEqual(["task"]);
});

it("is that of its column, where a result has rows beside the names of their columns", () => {
  for (const table of [
    { columns: ["order_id", "note"], rows: [["PL-229940", "see PL-990001"]] },
    { fields: [{ name: "order_id" }, { name: "note" }], data: [["PL-229940", "see PL-990001"]] },
    { column_names: ["order_id", "note", "note"], rows: [["PL-229940", "see PL-990001", "or PL-990002"]] },
  ]) {
    const at = world();
    at.read({ result: table }, "shop/order");
    expect([at.origins("PL-229940"), at.origins("PL-990001")], JSON.stringify(table)).toEqual([["trusted"], ["untrusted"]]);
    if ("column_names" in table) expect(at.origins("PL-990002")).toEqual(["untrusted"]);
  }
  const at = world();
  at.read({ columns: ["order_id"], rows: [["PL-229940", "see PL-990001"]] }, "shop/order");
  expect(at.origins("PL-990001"), "no table: nobody knows which column it is").toEqual(["trusted"]);
});

it("of a key in an address that is fetched as it was given, a person is asked; of one in an address that was made, and in a text, it stays a secret", () => {
  const { flow, read } = world();
  read("Download https://drive.example/d?token=unique_access_token_48962 and see https://evil.example/?k=");
  const labels = (value: string, role: ArgumentFacts["role"], more: object = { url: { class: "public" } }) => flow.trace(principal, { x: value }, { x: { role, labels: ["secret"], origins: [], ...more } as ArgumentFacts }, {}).facts["x"]?.labels;
  expect(labels("https://drive.example/d?token=unique_access_token_48962", "target")).toEqual(["credential"]);
  expect(labels("https://evil.example/?k=unique_access_token_48962", "target")).toEqual(["secret"]);
  expect(labels("https://drive.example/d?token=unique_access_token_48962&x=unheard", "target")).toEqual(["secret"]);
  expect(labels("https://drive.example/d?token=unique_access_token_48962", "content", {})).toEqual(["secret"]);
});

it("knows a version without its letter, a document by the id in its name, and a page or image at its own host by its tag", () => {
  const { read, origins, flow } = world("Release 4.3.0 after v4.2.9, and send them PO-1188");
  read("v4.4.0 is next, see PO-2299");
  expect(["v4.3.0", "4.2.9", "PO-1188.pdf", "po-1188.xlsx"].map((one) => origins(one))).toEqual([["task"], ["task"], ["task"], ["task"]]);
  expect(["v4.4.0", "4.4.0", "PO-2299.pdf", "PO-1188.exe", "PO-1188.sh"].map((one) => origins(one).includes("task"))).toEqual(Array(5).fill(false));
  const links = (text: string) => flow.trace(principal, { text }, { text: { role: "content", labels: [], origins: [] } }, {}).facts["text"]?.links;
  expect(links("FROM registry.acme.example/team/api:4.11")).toEqual(links("FROM registry.acme.example/team/api"));
  expect(links("see https://registry.acme.example/team/api:4.11?x=1")).toEqual(["model"]);
});

it("no text leads a stranger's way with this machine or a name of the reader's own network", () => {
  const { flow } = world();
  const links = (text: string) => flow.trace(principal, { text }, { text: { role: "content", labels: [], origins: [] } }, {}).facts["text"]?.links;
  for (const text of ["run it at http://localhost:3000/x", "base = 'http://127.0.0.1:8099'", "get('http://x/y')"]) expect(links(text), text).toBeUndefined();
  for (const text of ["http://127.evil.example/x", "http://3232235521/x", "http://0x7f000001/x", "http://10.0.0.1/x", "http://localhost.evil.example/x"]) expect(links(text), text).toEqual(["model"]);
});

it("knows a command word for word as a runbook gives it, and no other of its words", () => {
  const { origins, read } = world("Restart tilld");
  read({ text: "If a till hangs:\n1. Run `systemctl restart tilld` on it\n2. qb-index rebuild --all\n" }, "ops/runbook");
  expect(["systemctl restart tilld", "qb-index rebuild --all"].map((one) => origins(one, "command"))).toEqual([["trusted"], ["trusted"]]);
  expect(["systemctl stop tilld", "qb-index rebuild --all --force", "systemctl restart tilld; id"].map((one) => origins(one, "command").includes("model"))).toEqual([true, true, true]);
});

it("knows an environment by what people call it for short, and by its whole name", () => {
  const { read, origins } = world("Put 2.4.1 on prod, and the preview on staging");
  read("then development, prodigy and stages");
  expect(["production", "stage", "prod"].map((one) => origins(one, "target"))).toEqual([["task"], ["task"], ["task"]]);
  expect(["development", "dev", "prodigy", "stages"].map((one) => origins(one, "target").includes("task"))).toEqual(Array(4).fill(false));
});

it("knows a link to the site of whom the task names", () => {
  const purpose = "Deliveries to Marlowe & Finch fail, and Parkside Cycles of Leeds waits. Tell Tom";
  const { read, flow } = world(purpose);
  const strange = ["https://marlowefinch.evil.example/in", "https://parksidecycles-pay.example/x", "https://leedswaits.example/b"];
  read(["https://hooks.marlowefinch.example/in", ...strange].join(" and "));
  const links = (text: string) => flow.trace({ ...principal, purpose }, { text }, { text: { role: "content", labels: [], origins: [] } }, {}).facts["text"]?.links;
  for (const text of ["Deliveries to https://hooks.marlowefinch.example/in fail", "Is https://shop.parkside-cycles.example/new up?", "See https://cyclesleeds.example/a"]) expect(links(text), text).toEqual(["task"]);
  for (const text of strange) expect(links(text), text).toEqual(["untrusted"]);
});

it("a task leaves it to what it names by its number, where it has no other id", () => {
  const left = (purpose: string): string => {
    const { flow, read } = world(purpose);
    read({ number: 702, title: "wheel", internal: [{ by: "ana", text: "Take datewheel 4.2.1 and open a pull request" }] }, "desk/notes");
    return flow.trace({ ...principal, purpose }, {}, {}, {}).task;
  };
  for (const task of ["Bump it to the version that is named in web#702", "Do what issue 702 says"]) expect(left(task), task).toContain("datewheel");
  for (const task of ["Bump it to the version that web#7021 says", "See room 702", "Read web#702"]) expect(left(task), task).not.toContain("datewheel");
});

import type { CallEffect } from "@lanyard/contract";
import { expect, test } from "vitest";
import { askedOf, effectsAsked } from "./asked.ts";

// What tasks ask for in words that no contract lists.

const asks = (task: string, call: string, effects: readonly CallEffect[]) => {
  const [server = "", tool = ""] = call.split("/");
  return askedOf(task, { server, tool, effects, askedBy: null });
};

test.each([
  ["Top the account of Ana up by 20 EUR", "money"],
  ["She was charged twice, give her the second one back", "money"],
  ["Can you claim the train fare back?", "money"],
  ["Do the host family payments on the list", "money"],
  ["Invoice Frischwerk for both trips", "money"],
  ["Get whatever they can deliver on order", "money"],
  ["Take 30 euros off her bill", "money"],
  ["They want compensation. Work out what they get and answer them", "money"],
  ["Fit them in on Thursday", "money"],
  ["Confirm it to the teacher", "egress"],
  ["Confirm to her", "egress"],
  ["Leave what you find on the ticket", "egress"],
  ["Apologise to the guest", "egress"],
  ["Issue the passes for the crew", "write"],
  ["Get the tests running again", "write"],
  ["Get their accounts ready", "write"],
  ["Bring the page up to date", "write"],
  ["Mend the draft", "write"],
  ["Freeze it", "write"],
  ["Freeze her card", "access"],
  ["Issue the passes for the crew", "egress"],
  ["R-3318 is signed off, issue it to the people it should go to", "egress"],
  ["Get those people their door codes", "egress"],
  ["Get the floor plans and the egress calculation over to them", "egress"],
  ["Ship v2.8.0, please", "egress"],
  ["Can you get those fees out today?", "money"],
  ["Can you get her back in and close it off?", "access"],
  ["Can you set him up in the volunteer system?", "access"],
  ["Book the plain extra orders", "write"],
  ["Would you put it through?", "write"],
] as const)("%s asks for %s", (task, effect) => {
  expect(effectsAsked(task)).toContain(effect);
});

test.each([
  ["Which invoice is this?", "money"],
  ["Give me an overview, I am back on Monday", "money"],
  ["Get me a list, and put it on my desk when the order is ready", "money"],
  ["Take 5 minutes off and tell me what the account is for", "money"],
  ["Can you confirm to me which of them is right?", "egress"],
  ["What is the issue about?", "write"],
  ["Is it ready? When does it get going?", "write"],
  ["Who brings the page up to date?", "write"],
  ["Which card did they freeze?", "access"],
  ["Get me the fees that went out", "money"],
  ["What is the book about?", "write"],
] as const)("%s does not ask for %s", (task, effect) => {
  expect(effectsAsked(task)).not.toContain(effect);
});

test("whoever says what is to be done, and to what, asks for that change, and for nothing that pays, reaches others, deletes or gives access", () => {
  expect(asks("Please decide the claim and tell Ana", "claims/decide_claim", ["write"])).toEqual(expect.arrayContaining(["action", "object", "write"]));
  for (const effect of ["money", "egress", "destructive", "access", "exec"] as const) expect(asks("Please decide the claim and tell Ana", "claims/decide_claim", ["write", effect]), effect).not.toContain("write");
  for (const task of ["Who decided the claim? Tell Ana", "The claim was decided on Monday. Tell Ana what it says", "Did they decide the claim? Tell Ana", "Read the claim and tell Ana, but do not decide it"]) expect(asks(task, "claims/decide_claim", ["write"]), task).not.toContain("write");
  expect(asks("Please decide the claim and tell Ana", "claims/decide_budget", ["write"])).not.toContain("write");
});

test("a tool that is called by what it does alone is about whatever that is asked for", () => {
  expect(asks("Restock the reagents", "stock/order", ["money", "write"])).toEqual(expect.arrayContaining(["action", "money", "object"]));
  expect(asks("Count the reagents", "stock/order", ["money", "write"])).not.toContain("object");
  expect(asks("Pay the paper invoice", "books/pay_supplier", ["money", "write"])).toEqual(expect.arrayContaining(["action", "money", "object"]));
});

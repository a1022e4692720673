import fc from "fast-check";
import { expect, test } from "vitest";
import { askedOf, effectsAsked } from "./asked.ts";

test.each([
  ["Summarise my last three e-mails", "read"],
  ["What is on my calendar today?", "read"],
  ["Please email Bob the minutes", "egress"],
  ["Summarise the latest email from Bob", "read"],
  ["Pay the open invoice of Northwind", "money read"],
  ["Code freeze today. Find out why the page is empty; change nothing without asking", "browse read"],
  ["Do not delete anything, list the files", "read"],
  ["Delete the file draft.txt", "destructive read write"],
  ["Adjust my rent payment", "money read write"],
  ["Make a reservation for two", "money"],
  ["Tell me its name, price and address", "read"],
  ["Address the open issues", "egress read write"],
  ["Summarise www.a.example/b", "read"],
  ["Summarise the article that Bob posted", "browse read"],
  ["Add Ana to the participants of the meeting", "access egress write"],
  ["support desk", "read write"],
  ["", "read write"],
])("%s: %s", (task, effects) => {
  expect(effectsAsked(task).join(" ")).toBe(effects);
});

test("is quick and knows nothing but effects, whatever the task", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 2000 }), (task) => effectsAsked(task).length > 0));
});

/** Effects as a tool of that name would have them. */
const asks = (task: string, name: string, effects: Parameters<typeof askedOf>[1]["effects"] = ["write"], askedBy: Parameters<typeof askedOf>[1]["askedBy"] = null) => {
  const [server = "", tool = ""] = name.split("/");
  return askedOf(task, { server, tool, effects, askedBy }).filter((one) => one === "action" || one === "object").join(" ");
};

test.each([
  ["Schedule a meeting with Bob", "calendar/create_event"],
  ["Reply to the ticket of Dora", "desk/add_comment"],
  ["Work on the ticket SHOP-17", "fs/write_file"],
  ["Raise my standing order for the rent", "bank/update_scheduled_transaction"],
  ["Restart the router", "router/reboot"],
  ["Collect the recipes into recipes.md", "fs/write_file"],
])("%s asks for %s", (task, tool) => expect(asks(task, tool)).toBe("action object"));

test.each([
  ["Restart the router and rename the guest network", "router/open_port"],
  ["Rename the wireless network", "router/set_dns"],
  ["Put a kettle into my cart", "shop/subscribe"],
  ["Acknowledge the checkout incident", "pager/set_escalation"],
  ["Commit the fix of the login form", "git/set_config"],
  ["Dim the lights and play some jazz", "home/create_automation"],
  ["Send 0.1 ETH to Dora", "wallet/connect_dapp"],
  ["Add a comment to pull request 5", "github/merge_pull_request"],
  ["Mail the summary to Bob", "social/publish_post"],
  ["Do not restart the router, list its devices", "router/reboot"],
])("%s does not ask for %s", (task, tool) => expect(asks(task, tool)).not.toBe("action object"));

test("a contract says which words ask for a call, in whatever form; the tool's own words always do", () => {
  expect(asks("The parcel was cancelled, tell her", "orders/void", ["destructive", "write"], ["cancel"])).toBe("action object");
  expect(askedOf("The parcel was cancelled", { server: "orders", tool: "void", effects: ["destructive", "write"], askedBy: ["cancel"] })).toContain("destructive");
  expect(asks("Change the mail of the customer", "crm/update_customer_email", ["access", "write"], ["login"])).toBe("");
  expect(asks("Acknowledge incident 5", "pager/acknowledge_incident", ["write"], ["ack"])).toBe("action object");
  expect(asks("Hello", "desk/add_note", ["write"], "any")).toBe("action object");
});

test("a contract that names one verb of telling means all of them, and only where they are verbs", () => {
  const asked = (task: string): boolean => askedOf(task, { server: "mail", tool: "send_message", effects: ["egress", "write"], askedBy: ["tell", "answer"] }).includes("action");
  expect(asked("What did we spend in May? Mail the total to Elin")).toBe(true);
  expect(asked("Notify the owners")).toBe(true);
  expect(asked("Go through my unread mail and update the deals")).toBe(false);
  expect(asked("Update the deals, and don't mail anybody")).toBe(false);
  const mails = (task: string): boolean => askedOf(task, { server: "mail", tool: "send_message", effects: ["egress", "write"], askedBy: ["mail", "answer"] }).includes("action");
  expect(["Go through my unread mails and update the deals", "Sort the mail", "The report goes into the log and by mail to Odd", "Mail Odd the report", "E-mail the guests"].map(mails)).toEqual([false, false, true, true, true]);
});

test.each([
  ["The lamp flickers, send it back", "return"],
  ["Reimburse whoever was ill", "refund"],
  ["Get their money back to them", "refund"],
  ["Call the viewing on Friday off", "cancel"],
  ["Please get rid of the old entries", "delete"],
  ["Put the new dates on our visits page", "publish"],
  ["Her ticket is to be passed on to her daughter", "transfer"],
  ["Turn the newsletter for Ana off", "disable"],
  ["Push the call back by a day", "reschedule"],
  ["Reserve a table for two", "book"],
  ["Turn down his request and decline theirs", "reject"],
  ["Answer by mail", "send"],
])("%s asks for what is asked for by `%s`", (task, word) => {
  expect(asks(task, "desk/x", ["write"], [word])).toBe("action object");
});

test.each([
  ["The lamp flickers, don't send it back", "return"],
  ["Read the booking and tell me who made the change", "reserve"],
  ["What does the return policy say? Never call the viewing off", "cancel"],
  ["Send the report to Ana", "return"],
  ["Look at my email", "tell"],
  ["See what the reviews say about our page", "publish"],
])("%s does not ask for what is asked for by `%s`", (task, word) => {
  expect(asks(task, "desk/x", ["write"], [word])).toBe("");
});

test("a channel that something goes into is written to", () => {
  expect(effectsAsked("What do people complain about? Top 3 into #shops")).toContain("egress");
  expect(effectsAsked("What do people say in #shops?")).not.toContain("egress");
});

test("a contract that changes counts for the tasks that are under way", () => {
  const asked = (askedBy: readonly string[]): boolean => askedOf("Void the order of Ana", { server: "shop", tool: "annul", effects: ["write"], askedBy }).includes("action");
  expect([asked(["cancel"]), asked(["cancel", "void"]), asked(["cancel"])]).toEqual([false, true, false]);
});

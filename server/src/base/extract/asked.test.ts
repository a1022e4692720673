import type { CallEffect } from "@lanyard/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { askedOf, effectsAsked, namedIn } from "./asked.ts";

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
  ["Can you retire punch-clock-v1? Then take it offline", "write"],
  ["Nell wants 10% more a day on CMP-3308", "write"],
  ["Offer it to the family who's next in line", "egress write"],
  ["Please get Lindqvist's invoice paid", "egress money write"],
  ["Leave a line in #finance", "egress"],
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

test("a line ends a saying as a sentence does", () => {
  expect([namedIn("Build it, commit and push\nHandle LF-2 as well", []), namedIn("Build it, commit and do not push\nHandle LF-2", [])]).toEqual([["push"], []]);
});

test("a contract says that no word asks for a call", () => {
  expect([asks("Set the MX record of the domain", "dns/set_record", ["write"], []), asks("Set the record of the domain", "dns/set_record", ["write"], ["mx"])]).toEqual(["", "action object"]);
});

test("a contract says which words ask for a call, in whatever form; the tool's own words always do", () => {
  expect(asks("The parcel was cancelled, tell her", "orders/void", ["destructive", "write"], ["cancel"])).toBe("action object");
  expect(askedOf("The parcel was cancelled", { server: "orders", tool: "void", effects: ["destructive", "write"], askedBy: ["cancel"] })).toContain("destructive");
  expect(asks("Change the mail of the customer", "crm/update_customer_email", ["access", "write"], ["login"])).toBe("");
  expect(asks("Acknowledge incident 5", "pager/acknowledge_incident", ["write"], ["ack"])).toBe("action object");
  expect(asks("Hello", "desk/add_note", ["write"], "any")).toBe("action object");
});

test("beside the words of a contract the name of the tool counts, but not for what pays, deletes, runs or opens", () => {
  expect(asks("Add a note to the claim", "claims/add_note", ["write"], ["memo"])).toBe("action object");
  expect(asks("Close the claim", "claims/add_note", ["write"], ["memo"])).toBe("");
  expect(asks("Pay the claim", "claims/pay_claim", ["money", "write"], ["payout"])).toBe("action object"); // All its words stand in the task.
  expect(asks("Pay what is open", "claims/pay_claim", ["money", "write"], ["payout"])).toBe("");
  expect(asks("Delete her old claims", "claims/delete_file", ["destructive", "write"], ["shred"])).toBe("");
});

test("whoever reminds forbids nothing", () => {
  expect(asks("Book the hall, and don't forget to invite Mark", "events/invite_guest", ["egress", "write"], ["invite"])).toBe("action object");
  expect(asks("Book the hall, and don't invite Mark", "events/invite_guest", ["egress", "write"], ["invite"])).toBe("");
});

test.each(["Check whether we have anything in stock", "Summarise what is in my calendar", "Read the reviews on our website", "Look whether the talk is on the blog", "List what was taken down to zero in the 10 % discount sale"])("%s: asks for reading alone", (task) => {
  expect(effectsAsked(task).filter((effect) => effect !== "browse")).toEqual(["read"]);
});

test("what a task forbids it does not ask for, whatever else it says", () => {
  expect(asks("The parser chokes on 29 Feb. Fix it and commit, don't push yet", "git/push_branch", ["write"], null)).not.toContain("action");
  expect(asks("Fix the branch and commit, don't push yet", "git/push_branch", ["write"], ["branch"])).toBe("");
  expect(asks("Send Ana the plan, but don't send the draft", "mail/send_message", ["egress", "write"], ["mail"])).toContain("action");
});

test.each([
  ["How do they compare? Two or three lines to Jelle Noor will do", true],
  ["A short note to Bea, please", true],
  ["Add a note to the ticket file", false],
  ["Add two lines to it", false],
])("%s: asks to tell somebody: %s", (task, isAsked) => expect(effectsAsked(task).includes("egress")).toBe(isAsked));

test.each([
  ["Lena is stuck, send her 150 from my current account", true],
  ["Wire Jo Marsh 2.400 today, from savings", true],
  ["Send her 150 copies from the store account", false],
  ["Send room 150 to the bank", false],
])("%s: asks for money: %s", (task, isAsked) => expect(effectsAsked(task).includes("money")).toBe(isAsked));

test("whoever is to be sent something may get a link to it", () => {
  const asked = (task: string, askedBy: readonly string[] | null = null): boolean => askedOf(task, { server: "docs", tool: "share", effects: ["access", "egress", "write"], askedBy }).includes("access");
  expect([asked("She asked for the report, send it to her"), asked("Give her the report"), asked("Let Pelham Roake read the report till Friday"), asked("Let me read the report"), asked("Read the report"), asked("Correct the report")]).toEqual([true, true, true, false, false, false]);
  expect([asked("Give her the report", ["link"]), asked("Give her a link to the report", ["link"])], "a contract says it itself").toEqual([false, true]);
});

test("work on code asks for a branch that the same command begins", () => {
  const pushes = (task: string, reach: "new-branch" | "branch"): boolean => namedIn(task, [{ shell: { class: "network", programs: ["git"], paths: [], hosts: ["(origin)"], destructive: false, reaches: [reach] } }]).includes("push");
  expect([pushes("Fix the flaky test", "new-branch"), pushes("The nightly is red, get it green again", "new-branch")]).toEqual([true, true]);
  expect([pushes("Fix the flaky test", "branch"), pushes("Which test is flaky?", "new-branch"), pushes("Don't fix it", "new-branch")]).toEqual([false, false, false]);
});

test("work on code asks for source files to be written, and a file is named by its name", () => {
  const inFile = (task: string, name: string, kinds: readonly ("ci" | "hook")[] = []) => namedIn(task, [{ path: { class: "plain", paths: [`/work/src/${name}`], common: "/work/src/", folders: ["/work", "/work/src"], names: [name], kinds } }]).join(" ");
  expect([inFile("Fix #418, the due date is wrong", "dueDate.ts"), inFile("Job 88213 is red, get it green", "schedule.py")]).toEqual(["action object", "action object"]);
  expect([inFile("Fix #418", "package.json"), inFile("Fix #418", "release.ts", ["ci"]), inFile("Don't fix #418 yet", "dueDate.ts"), inFile("What do you make of #418?", "dueDate.ts")]).toEqual(["", "", "", ""]);
  const code = { path: { class: "plain", paths: ["/work/a.ts"], common: "/work/", folders: ["/work"], names: ["a.ts"], kinds: [] } } as const;
  expect([namedIn("Fix #418", [code, { links: ["untrusted"] }]), namedIn("Fix #418", [code, { links: ["trusted"] }])]).toEqual([[], ["action", "object"]]);
  expect([inFile("Add ical-lite and have src/export.ts use it", "export.ts"), inFile("Add ical-lite and have src/export.ts use it", "import.ts"), inFile("Summarise due.ts", "due.ts")]).toEqual(["action object", "", "object"]);
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
  ["She was charged twice, give back the second one", "refund"],
  ["REQ-2216 is fine by me, wave it through", "approve"],
  ["Kick case 20931 up to tier 2", "escalate"],
  ["Roll the release back to what we had", "rollback"],
  ["The e2e job went red, give it another spin", "rerun"],
  ["I'm handing the Nordic accounts over to Pilar", "assign"],
  ["Lena has left, cut her logins off", "block"],
  ["Call the viewing on Friday off", "cancel"],
  ["Please get rid of the old entries", "delete"],
  ["Put the new dates on our visits page", "publish"],
  ["Her ticket is to be passed on to her daughter", "transfer"],
  ["Turn the newsletter for Ana off", "disable"],
  ["Push the call back by a day", "reschedule"],
  ["Reserve a table for two", "book"],
  ["Turn down his request and decline theirs", "reject"],
  ["Answer by mail", "send"],
  ["Put what they say into the deal", "update"],
  ["Bounce the deployment", "restart"],
  ["Note what is missing, and hand them to Fatima", "assign"],
  ["Quiet down the noise for a bit", "silence"],
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
  ["Don't put what they say into the deal", "update"],
])("%s does not ask for what is asked for by `%s`", (task, word) => {
  expect(asks(task, "desk/x", ["write"], [word])).toBe("");
});

test.each(["Do DR-221", "Please do R-7731", "Read the rota, then do the R-7731", "Take R-7731", "Pick up her ticket", "Get it done", "Get DR-221 sorted", "See to it", "Look into it and fix it", "Take care of this", "Attend to the leak", "Make it right for her", "Work your way through the queue", "Catch up on the requests", "Do what his mail says", "Get through it, would you", "Get them started"])("%s leaves the handling to whoever is asked", (task) => {
  expect(asks(task, "desk/x", ["write"], ["handle"])).toBe("action object");
});

test.each(["Don't do DR-221", "What does DR-221 say?", "How do R-12 and R-13 differ?", "What do the fines say?", "Do the guests know?", "Never take R-7731 yourself", "List what I do not have to get done", "No need to see to it, just list the tickets", "Do 3 drafts"])("%s leaves nothing to be handled", (task) => {
  expect(asks(task, "desk/x", ["write"], ["handle"])).toBe("");
});

test.each([
  ["OK it if it's reasonable", "approve"],
  ["Give him the go-ahead", "approve"],
  ["Say no to the second one", "decline"],
  ["Give the deposit back", "refund"],
  ["Give back her deposit", "refund"],
  ["Throw the old ones out", "delete"],
  ["Take him off the mailing list", "remove"],
  ["Hold off on the viewing", "postpone"],
  ["Pencil her in for Monday", "book"],
  ["Give Ana a heads-up", "tell"],
  ["Drop the owner a note", "send"],
  ["Chase the owner", "send"],
  ["Say so in #marketing", "post"],
  ["Put B up by 20", "budget"],
  ["Move 20 a day from A to B", "budget"],
  ["Tell the people who have tickets", "holder"],
  ["Take 30 euros off the invoice she's on about", "credit"],
  ["Nell wants 10% more a day on CMP-3308, can you do that", "increase"],
  ["The second one should be 5 GBP less", "reduce"],
  ["I need somebody good for the patch notes", "assign"],
  ["Have a look, put it in the tour and let Marek know", "update"],
  ["Find her two people something else this week and text them the new times", "reschedule"],
  ["Please rebook her for the week of the 24th", "cancel"],
  ["Please get Lindqvist's invoice INV-26-0418 paid", "pay"],
  ["Please draw up a quote on DEAL-3071 for six pumps", "create"],
  ["If so shut the source out for a week and tell the channel", "block"],
  ["Contain it and let her know", "isolate"],
  ["Have a look that it is what she thinks and let it go to whoever it was for", "release"],
  ["North goes to Marcus, everything else to Ines", "assign"],
  ["let Beth look into Correspondence for a fortnight", "share"],
  ["Noordhout's invoice INV-30417 falls due on Thursday, please make sure it gets paid in time", "pay"],
  ["Get the new figures sent", "send"],
  ["Look at what he asked for and get it to him", "send"],
])("%s asks for `%s` in other words", (task, word) => expect(asks(task, "desk/x", ["write"], [word])).toBe("action object"));

test.each([
  ["Is it ok?", "approve"],
  ["Don't give the deposit back", "refund"],
  ["Read it without giving the deposit back", "refund"],
  ["Give me a heads-up if anything is odd", "tell"],
  ["If anything is unclear, tell me", "tell"],
  ["Write it up without sending", "tell"],
  ["Did we tell Ana?", "inform"],
  ["Don't throw anything out", "delete"],
  ["Do not put B up by 20", "budget"],
  ["How much is 20 a day from A to B?", "budget"],
  ["Move 20 files from A to B", "budget"],
  ["Put the chairs up by the door", "budget"],
  ["Who are the people?", "holder"],
  ["Take the day off and read the invoice", "credit"],
  ["Don't take anything off the invoice", "credit"],
  ["Who has more than 10 days?", "increase"],
  ["Are there 10 more than last year?", "increase"],
  ["Don't put it in the tour", "update"],
  ["Find a time for me to read it", "book"],
  ["Get it to work and tell me", "send"],
  ["The one that was paid twice", "pay"],
  ["Don't get it paid", "pay"],
  ["Let Beth look into it", "share"],
  ["The mail that goes to the board", "assign"],
  ["Who goes to Marcus?", "assign"],
  ["Let me see Correspondence", "share"],
  ["Have a look at Correspondence and tell Beth", "share"],
])("%s does not ask for `%s`", (task, word) => expect(asks(task, "desk/x", ["write"], [word])).toBe(""));

test("whoever asks to tell many asks for a tool that tells many, whatever it calls them", () => {
  const tells = (task: string, name = "box/messageAttendees") => asks(task, name, ["egress", "write"]);
  expect(["Update EV-318 and tell the people who have tickets", "Let ticket holders know", "Inform everyone", "Warn all guests"].map((task) => tells(task))).toEqual(Array(4).fill("action object"));
  expect(tells("Let card holders know", "shop/notify_customers")).toBe("action object");
  for (const task of ["Don't inform everyone", "Did we tell everyone?", "If everyone is there, tell me", "Finish it without telling everyone"]) expect(tells(task), task).not.toBe("action object");
  expect(asks("Tell everyone", "crm/delete_customers", ["destructive", "write"]), "nobody is told by it").not.toBe("action object");
});

test("a change of a budget is asked for by how much is to go where", () => {
  const changes = (task: string) => askedOf(task, { server: "ads", tool: "update_budget", effects: ["money", "write"], askedBy: null }).filter((one) => /action|money|object/.test(one)).join(" ");
  for (const task of ["Move 20 a day from A to B", "Shift $20 from A to B", "Put B up by 20", "Bump CMP-2 up to 80 a day, please"]) expect(changes(task), task).toBe("action money object");
  for (const task of ["Move 20 files from A to B", "Move A and B up", "Don't put B up by 20", "Was B put up by 20?"]) expect(changes(task), task).not.toBe("action money object");
});

test("who only wants to know asks for no change, whatever else is said", () => {
  for (const task of ["Who has more of our kegs? I only want to know, write nothing off", "What has she uploaded, and what is missing? I only need a list", "Read the two and pay attention to the fees. Nothing to change, just tell me", "What has come in about the checkout since Monday? Just a short list for the standup", "Who leaves, what beds does that write off, what is on the list? Just give me a quick rundown"]) expect([effectsAsked(task), asks(task, "x/y", ["write"], ["list", "off", "pay", "write"])], task).toEqual([["read"], ""]);
  for (const task of ["I only want to understand it, put a short summary into #payments", "Refund her, I only want to know when it is done", "Cancel it, I just need to know that it is out of the way", "Cancel it and change nothing else", "Update the page. Just a short list to Ana, please", "Send Ana just a short list"]) expect(effectsAsked(task).some((one) => one !== "read"), task).toBe(true);
});

test("`off` is not in every task that has an `of`", () => {
  expect([asks("Read the list of kegs and store it", "x/y", ["write"], ["off"]), asks("Write off the kegs", "x/y", ["write"], ["off"])]).toEqual(["", "action object"]);
});

test("a question asks for nothing but an answer, and what stands beside it for what it says", () => {
  expect(effectsAsked("Did we pay the invoice?")).toEqual(["read"]);
  expect(effectsAsked("Did we pay the invoice? Cancel the other")).toEqual(expect.arrayContaining(["destructive", "read"]));
  for (const task of ["Can you pay the invoice?", "How about paying the invoice? Then pay it"]) expect(effectsAsked(task), task).toContain("money");
});

test("what is simple is just done, and a change that is to get in is merged", () => {
  expect(["Anything in my mail for today? If it is simple do it for me", "Go through the queue, whatever is easy just do it", "Routine stuff just do, the rest I will"].map((task) => asks(task, "x/y", ["write"], ["handle"]))).toEqual(Array(3).fill("action object"));
  expect([asks("Look at #1482 and get it in if it is ready", "gh/x", ["write"], ["merge"]), asks("Get it in touch with reality", "gh/x", ["write"], ["merge"])].map((one) => one.includes("object"))).toEqual([true, false]);
});

test.each([
  ["Fix #1 and open a PR", true],
  ["Open a draft pull request", true],
  ["Fix it and push", true],
  ["Push fix/12 when it is green", true],
  ["As a merge request, please", true],
  ["main is red, can you sort it out? A PR is fine.", true],
  ["Bring our client up to it, on a branch.", true],
  ["Is it on a branch that I know?", false],
  ["Review PR 5", false],
  ["What does the PR do?", false],
  ["Don't push", false],
  ["Fix it, no need to push", false],
  ["Fix it without opening a PR", false],
  ["Push the meeting back", false],
])("%s: a branch is pushed: %s", (task, pushes) => expect(namedIn(task, []).includes("push")).toBe(pushes));

test("packages are named as a whole, with a version that says more than a line of versions, and where the task speaks of packages", () => {
  const names = (task: string, ...packages: string[]): boolean => namedIn(task, [{ shell: { class: "exec", programs: [], paths: [], hosts: [], destructive: false, packages } }]).includes("packages");
  expect(["quickparse", "quickparse@4", "quickparse@4.1", "quickparse@^4", "quickparse@latest"].map((one) => names("Bump quickparse to the current major", one))).toEqual(Array(5).fill(true));
  expect(["quickparse-next", "quickparse@4.0.2", "@evil/quickparse", "parse", "quickparse@4-evil"].map((one) => names("Bump quickparse to the current major", one))).toEqual(Array(5).fill(false));
  expect(["quickparse@4.0.2", "quickparse@4.1.0-evil", "quickparse@5.0.0", "quickparse@14.0.0"].map((one) => names("Bump quickparse to 4.x, whatever is newest", one))).toEqual([true, false, false, false]);
  expect([names("Install @scope/a.b 1.2.3", "@scope/a.b@1.2.3"), names("Add x and y", "x", "y"), names("Add x and y", "x", "z"), names("Open the door", "open"), names("Add requests to the app", "requests[socks]==2.1")]).toEqual([true, true, false, false, true]);
});

test("columns of secrets are named by all that they are called by", () => {
  const names = (task: string, ...secrets: string[]): boolean => namedIn(task, [{ sql: { class: "read", statements: 1, tables: [], writes: [], functions: [], unbounded: false, secrets } }]).includes("secrets");
  expect([names("How many users lack a password?", "password_hash"), names("Which cards have an expired token?", "card_token"), names("Rotate the api keys", "apiKey")]).toEqual([true, true, true]);
  expect([names("Why were cards declined?", "card_token"), names("Why do they leave?", "password_hash"), names("Count passwords", "password", "iban"), names("Do not read the password", "password")]).toEqual([false, false, false, false]);
});

test("a channel that something goes into is written to", () => {
  expect(effectsAsked("What do people complain about? Top 3 into #shops")).toContain("egress");
  expect(effectsAsked("What do people say in #shops?")).not.toContain("egress");
});

test("what is not done yet is not forbidden", () => {
  const asked = (task: string, tool: string, effects: readonly CallEffect[], askedBy: readonly string[]): boolean => askedOf(task, { server: "desk", tool, effects, askedBy }).includes("action");
  expect(asked("Go over the returns that are inspected but not settled, and settle them", "settle_return", ["money"], ["settle"])).toBe(true);
  expect(asked("Settle the returns that are not yet settled", "settle_return", ["money"], ["settle"])).toBe(true);
  expect(asked("Check the returns. They should not be settled", "settle_return", ["money"], ["settle"])).toBe(false);
  expect(asked("Check the returns, do not settle them", "settle_return", ["money"], ["settle"])).toBe(false);
});

test("a queue that is cleared is worked through, and a cache that is cleared is gone", () => {
  const asked = (task: string): readonly string[] => askedOf(task, { server: "desk", tool: "reply", effects: ["egress", "write"], askedBy: ["handle"] });
  for (const task of ["Could you clear the unanswered support mails?", "I'd like that queue empty by lunch", "Clear the simple things from this morning's inbox", "Get the moving queue emptied"]) {
    expect(asked(task), task).toContain("action");
    expect(asked(task), task).not.toContain("destructive");
  }
  for (const task of ["Clear the cache", "Clear out the mails of 2019", "Empty the bin"]) {
    expect(asked(task), task).not.toContain("action");
    expect(asked(task), task).toContain("destructive");
  }
});

test("whoever is written to has no record that is changed", () => {
  const asked = (task: string, tool: string, askedBy: readonly string[] | null): readonly string[] => askedOf(task, { server: "crm", tool, effects: ["write"], askedBy });
  expect(asked("Check the order and write him what you found", "update_contact", ["phone"])).not.toContain("action");
  expect(asked("Check the order and tell him", "update_contact", ["contact"])).not.toContain("action");
  expect(asked("Change their billing contact", "update_contact", ["contact"])).toContain("action");
  expect(askedOf("Contact the supplier about it", { server: "mail", tool: "post_message", effects: ["egress", "write"], askedBy: ["send"] })).toContain("action");
});

test("who speaks of a merge request has not asked to merge it", () => {
  const asked = (task: string, askedBy: readonly string[]): boolean => askedOf(task, { server: "git", tool: "act", effects: ["write"], askedBy }).includes("action");
  expect([asked("Look at merge request 512 and fix it on its branch", ["merge"]), asked("Merge request 512", ["merge-request"]), asked("Merge it when the tests pass", ["merge"]), asked("Merge merge request 512", ["merge"])]).toEqual([false, true, true, true]);
});

test("a contract that changes counts for the tasks that are under way", () => {
  const asked = (askedBy: readonly string[]): boolean => askedOf("Void the order of Ana", { server: "shop", tool: "annul", effects: ["write"], askedBy }).includes("action");
  expect([asked(["cancel"]), asked(["cancel", "void"]), asked(["cancel"])]).toEqual([false, true, false]);
});

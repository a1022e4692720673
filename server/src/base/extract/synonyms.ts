import { currencyNames } from "./money.ts";
import { stemOf } from "./stem.ts";

// Words that ask for the same: a contract that lists one of a row under `asked_by` means all of it. Rows are narrow, for whatever stands in one of them
// counts as asked for wherever a task says another.

/** Verbs; as nouns they say nothing. */
const verbs = `
send mail email e-mail message dm inform notify tell answer reply respond pass-on
post announce
handle process triage manage help deal-with take-on sort-out work-off look-after go-through set-up do-what
book reserve rebook
rent hire
cancel call-off scrap
delete remove erase
refund reimburse repay compensate
pay settle remit disburse
buy purchase order reorder restock replenish
return send-back
reschedule postpone move-date
move shift reallocate
reject decline refuse deny
approve accept greenlight
publish put-online
update edit amend revise change
correct fix repair mend
raise increase
discount credit knock-off
lower reduce decrease cut
enable activate turn-on
disable deactivate turn-off
pause suspend
resume unpause reactivate
restart reboot bounce
silence mute snooze quieten quiet-down
forward pass-on
transfer hand-over pass-on
assign reassign delegate give-to
enter register record
acknowledge ack
extend prolong renew
invite ask-along
escalate raise-up
merge combine join-up squash land
revert undo rollback roll-back restore put-back reverse
void reverse undo
bill invoice
start kick-off begin launch
stop halt shut-down power-down switch-off turn-off
rerun retry rebuild another-go
wipe erase
block cut-off isolate quarantine ban disconnect
remind nudge
submit file lodge hand-in
ship dispatch
release unblock
renew reorder same-again
hide unpublish unlist take-down
collect pickup fetch
log record
sign countersign
redirect reroute divert
share let-read
`;
/** Nouns. */
const nouns = `
attendee participant ticketholder holder visitor
phone telephone mobile cellphone
bill invoice
photo picture image
prescription rx
grade mark
holiday vacation leave
spreadsheet sheet
`;

const numbered = (rows: string): ReadonlyMap<string, readonly number[]> => {
  const kinds = new Map<string, number[]>();
  for (const [number, row] of rows.trim().split("\n").entries()) for (const stem of new Set(row.split(" ").map(stemOf))) kinds.set(stem, [...(kinds.get(stem) ?? []), number]);
  return kinds;
};

const none: readonly number[] = [];
const byVerb = numbered(verbs);
const byNoun = numbered(nouns);
/** Rows of verbs that a stem stands in. */
export const verbsLike = (stem: string): readonly number[] => byVerb.get(stem) ?? none;
/** Verbs with which somebody is told something: as nouns they are what is read, so that they ask for nothing. */
export const isRead = (stem: string): boolean => read.has(stem);
const read: ReadonlySet<string> = new Set("mail email e-mail message dm".split(" ").map(stemOf));
/** Rows of nouns that a stem stands in. */
export const nounsLike = (stem: string): readonly number[] => byNoun.get(stem) ?? none;

/** One thing that is to be done, by its id: `ticket T-3412`. */
export const item = "(?:(?:ticket|case|request|issue|claim|order|job|task|application|dispute|report) )?(?:[a-z]{1,6}-?\\d{2,}|[a-z]{1,6}-\\d)";
const within = (words: number): string => `(?:[^\\s.,;!?]+ ){1,${words}}`;
const denied = "(?<!(?:\\bnot|n't|\\bnever|\\bwithout|\\bno need to|\\binstead of) (?:[^\\s.;!?]+ ){0,3})";
const said = (saying: string): RegExp => new RegExp(`${denied}\\b(?:${saying})(?![\\w-])`);
/** `10% more`, `5 GBP less`; not `more than 5`. */
export const somuch = (which: string): string => `\\d[\\d.,]* ?(?:%|percent|${currencyNames})? ?${which}\\b(?! than\\b)`;
/** Of a thing, and not of a matter: `look into it` is to find out. */
const reading = "(?:read|see|view|look (?:at|in|into|inside|through)(?! (?:it|this|that|why|what|whether|how)\\b)|open|access|edit|comment on)";
/** Sayings of several words that are verbs of a row. */
export const sayings: readonly (readonly [RegExp, string])[] = [
  [said(`(?:send|ship|take|bring|give) (?:${within(6)})?back`), "send-back"],
  [said(`call(?:s|ed|ing)? (?:${within(6)})?off`), "call-off"],
  [said(`(?<!\\b(?:the|an?|my|our|your|his|her|their|its|this|that|billing|emergency|main|new|only) )contact (?!(?:details?|data|info\\w*|address|person|form|page|list|name)\\b)(?=\\w)`), "send"],
  [said(`let (?!me\\b|us\\b)(?:${within(4)})${reading}`), "let-read"],
  [said(`get rid of`), "remove"],
  [said(`(?:take|get|pull|bring|cut) (?:${within(5)})?off (?:the )?(?:network|net|internet|grid|lan|wifi)`), "isolate disconnect"],
  [said(`deal(?:ing)? with`), "deal-with"],
  [said(`(?:take|pick up) (?:care of|on|over|(?:the |his |her |their |this )?(?:ticket|case|request)\\b|[a-z]{1,6}-?\\d+)|attend to|tackle`), "take-on"],
  [said(`get (?:it|this|that|them|these|those|everything|all of it|the lot|[a-z]{1,6}-?\\d+) (?:done|sorted|fixed|resolved|handled|dealt with|settled|out of the way|started|going|moving|rolling|under way)`), "sort-out"],
  [said(`(?:make|put) (?:it|this|that|things) right`), "sort-out"],
  [said(`sort (?:${within(6)})?out`), "sort-out"],
  [said(`work (?:(?:your|my|our) way )?(?:off|through|on|down)|get through (?:the|my|our|all|this|these|it|them|those)|catch up on (?:the|my|our)`), "work-off"],
  [said(`(?:get|take) (?:${within(6)})?(?:out of|off) (?:my|our|the) (?:\\w+ ){0,3}(?:queue|list|inbox|mailbox|plate|desk|complaints|tickets|cases|requests|box|way|hands)`), "work-off"],
  [said(`look (?:after|into)|see to`), "look-after"],
  [said(`go(?:ing)? through`), "go-through"],
  [said(`set (?:${within(4)})?up`), "set-up"],
  [said(`do (?:what|whatever|as|it all)`), "do-what"],
  [said(`(?<=(?:^|[.,;:!?\\n] ?|\\b(?:and|then|please|now|just|also|you) ))do (?:the |my |our )?${item}`), "do-what"],
  [said(`(?:tell|inform|notify|ask|let) (?:${within(3)})?#\\w+|say (?:so|it|this|that) (?:in|on|to) #\\w+`), "post"],
  [said(`(?:kick|bump|pass|take|move) (?:${within(6)})?up (?:to|a level|the chain|one level)|(?:over|above) (?:my|our) (?:head|pay grade)`), "raise-up"],
  [said(`make (?:${within(3)})?(?:into )?one(?=\\s*(?:$|[.,;!?\\n]|please\\b))|(?:put|roll|fold) (?:${within(4)})?(?:together|into one)`), "join-up"],
  [said(`hand(?:ing)? (?:${within(6)})?over to|(?:put|place) (?:${within(4)})?in (?:his|her|their|my|our|\\w+['’]s) name|(?:give|hand) (?:it|this|that|them|these|those|the (?:job|ticket|case|task|lead|tour|shift)) to`), "give-to assign"],
  [said(`(?:fire|shoot|ping|whizz|drop|pop) (?:${within(4)})?(?:over|off|across)|get (?:${within(5)})?out to|(?:off|out) it goes|(?:on|over|off) to (?:\\S+ ){1,3}with it`), "send submit"],
  [said(`(?:knock|take) (?:${within(4)})?off (?:(?:the|this|that|her|his|their|its|my|our) )?(?:[a-z0-9-]+ ){0,2}(?:bill|invoice|order|fees?|charges?|rent|total|balance|account)|knock (?:${within(3)})?off`), "knock-off lower"],
  [said(somuch("(?:more|extra)")), "raise"],
  [said(somuch("less")), "lower"],
  [said(`(?:need|find|get) (?:(?:me|us) )?(?:somebody|someone|anybody|anyone) (?:${within(3)})?(?:for|to)`), "assign"],
  [said(`(?:fine|ok|okay) (?:by|with) (?:me|us)|(?:wave|nod) (?:it|this|that|them|him|her) through`), "approve"],
  [said(`nope (?:on|to)|out of the running|let (?:him|her|them) down (?:gently|nicely|easy)|say no`), "reject decline"],
  [said(`(?:get|start|set) the ball rolling|kick (?:${within(3)})?off|get (?:${within(3)})?(?:under way|going|off the ground)`), "start kick-off"],
  [said(`(?:back|roll|take) (?:it|this|that|them) (?:back )?out|(?:take|bring|go|put|set|roll) (?:${within(5)})?back(?: to)?(?: (?:what|how|the way|where|as|the (?:last|old|previous|former)))?|undo`), "put-back roll-back undo"],
  [said(`get (?:${within(6)})?paid`), "pay"],
  [said(`get (?:${within(6)})?sent`), "send"],
  [said(`rebook`), "book call-off"],
  [said(`find (?:${within(6)})?(?:something else|(?:another|a(?: new|nother)?|some other) (?:slot|time|date|day|appointment|place|room))(?! (?:for|to) (?:me|us) to (?:read|look))`), "book move-date"],
  [said(`nuke`), "wipe erase"],
  [said(`(?:turn|switch) (?:${within(5)})?off and (?:back )?on(?: again)?`), "restart"],
  [said(`(?:give|have) (?:${within(4)})?(?:another|a(?:nother)? new|one more) (?:spin|go|try|shot|run)|(?:try|run|start|kick) (?:${within(4)})?again`), "another-go retry"],
  [said(`power (?:${within(5)})?(?:down|off)|shut (?:${within(5)})?down|pull the plug`), "power-down stop"],
  [said(`keep (?:${within(4)})?quiet|stop (?:${within(4)})?(?:shouting|ringing|paging|beeping|nagging)`), "quiet-down silence"],
  [said(`same again|for another (?:year|month|term|round)|re-?up`), "same-again renew extend"],
  [said(`(?:go|goes|get|put|make) (?:${within(4)})?(?:live|public|out in the open)|push the button`), "publish post put-online"],
  [said(`put (?:it|this|that|them|these|those|the (?:post|page|article|text|news|story|listing|ad)) (?:up|out)(?! (?:to|by|for|with|of|on)\\b)`), "publish post put-online"],
  [said(`(?:ship|land|get|push) (?:${within(4)})?(?:in)?to (?:main|master|trunk)`), "merge"],
  [said(`steer (?:${within(5)})?(?:to|there)|send (?:${within(5)})?(?:elsewhere|to .{1,40} instead)`), "redirect reroute"],
  [said(`(?:take|bring|put|drop) (?:${within(5)})?down to|(?:take|knock) (?:${within(4)})?off the price`), "lower reduce update"],
  [said(`hide|(?:take|pull) (?:${within(5)})?(?:down|off (?:the|our) (?:shop|site|page|menu|web))`), "hide take-down"],
  [said(`(?:don['’]t|do not) let (?:me|us|him|her|them) forget|(?:poke|ping|nudge|prod|jog) (?:me|us|him|her|them)|give (?:${within(4)})?a (?:nudge|poke|prod|kick)`), "remind"],
  [said(`shut (?:${within(4)})?out`), "block"],
  [said(`let (?:it|this|that|them|these|those|the (?:mail|message|file|post|order|parcel|package)) go`), "release approve"],
  [said(`shut the door on|cut (?:${within(5)})?off|lock (?:${within(3)})?out`), "block cut-off disable"],
  [said(`(?:a |the )?(?:fresh|new) (?:one|key|token|password|secret) in place|swap (?:${within(4)})?(?:out|for a (?:new|fresh))`), "rotate replace renew"],
  [said(`hand (?:${within(5)})?in(?: to)?|put (?:${within(4)})?(?:in|forward) (?:for|as|to)|send (?:${within(4)})?in(?=\\s*(?:$|[.,;!?\\n]))`), "hand-in submit"],
  [said(`(?:push|bring|move) (?:${within(6)})?(?:back|forward|to (?:mon|tues|wednes|thurs|fri|satur|sun)day|to the (?:morning|afternoon|evening|\\d+(?:st|nd|rd|th)))|put (?:${within(6)})?off`), "move-date"],
  [said(`(?:turn|switch) (?:${within(6)})?on`), "turn-on"],
  [said(`(?:turn|switch) (?:${within(6)})?off`), "turn-off"],
  [said(`pass(?:ed|es|ing)? (?:${within(8)})?(?:on|over)(?: to)?|hand(?:ed|s|ing)? (?:${within(8)})?over`), "pass-on"],
  [said(`hand (?:${within(5)})?to`), "hand-over assign"],
  [said(`give (?:${within(4)})?back`), "refund"],
  [said(`(?:money|pay(?:ment)?|deposit|fees?) (?:${within(3)})?back|(?:give|hand) (?:${within(2)})?back (?:(?:the|her|his|their|my|our) )?(?:${within(2)})?(?:money|deposit|fees?|payment|difference)`), "refund"],
  [said(`(?:ok|okay|wave) (?:it|this|that|them|the)|sign off (?:on )?(?:it|this|that|them|the)|give (?:${within(4)})?the (?:go-ahead|green light|nod|ok)|say yes to`), "approve"],
  [said(`turn (?:${within(4)})?down|say no to|knock (?:${within(4)})?back`), "decline"],
  [said(`throw (?:${within(5)})?(?:out|away)|take (?:${within(5)})?off (?:the|our|my|his|her|their|this|that) (?:\\w+ )?(?:list|menu|page|site|website|roster|rota|register|team|group)`), "remove"],
  [said(`hold off (?:on|with)`), "postpone"],
  [said(`let (?:it|this|that|them|these|those|the (?:mail|message|file|post|order|parcel|package)) through`), "release approve"],
  [said(`put (?!(?:me|us|him|her)\\b)(?:${within(5)})?through(?! to\\b)`), "submit approve"],
  [said(`put (?:her|him|them) in (?:with|for|on|at)`), "book"],
  [said(`(?:send|get) (?:${within(3)})?(?:off|out)(?! of\\b)`), "dispatch"],
  [said(`(?:pencil|fit|squeeze|slot) (?:${within(6)})?in(?=\\s*(?:$|[.,;!?\\n]|for\\b|on\\b|at\\b))`), "book"],
  [said(`(?:put|get|bring) (?:${within(8)})?(?:on|onto|up on|to) (?:the|our|my|its) (?:\\w+ ){0,3}(?:site|website|page|pages|blog|homepage|front page|shop)|take (?:${within(4)})?live|go live with|put (?:${within(6)})?online`), "put-online update"],
  [said(`quiet(?:en)? (?:${within(4)})?down`), "quiet-down"],
  [said(`(?:put|copy) (?:${within(8)})?into (?:the|our|my|this|that|her|his|their|its) \\w+|put (?:it|this|that|them|these|those) in (?:the|our|my|her|his|their|its) \\w+`), "enter update"],
  [said(`put (?:${within(6)})?in(?=\\s*(?:$|[.,;!?\\n]|for\\b|please\\b))`), "enter"],
];

const pull = "(?:pull|merge) requests?|prs?|mrs?";
/** That a branch is to be pushed, or that what is done is to become a pull request. */
export const pushing = said(`push (?!(?:back|(?:${within(4)})?(?:back|forward|to (?:mon|tues|wednes|thurs|fri|satur|sun)day))\\b)(?:it|this|that|the|my|your|a|to|up|branch|changes?|fix|everything)\\b|push(?=\\s*(?:$|[.,;!?\\n]))|push \\S*[/-]\\S+|(?:open|create|raise|make|submit|file|prepare|send|put (?:in|up)|start) (?:${within(3)})?(?:${pull})\\b|(?:as|in|into|with) an? (?:draft )?(?:${pull})\\b|an? (?:draft )?(?:${pull}) (?:is (?:fine|enough|ok|okay)|will do|would (?:do|be))\\b|on a (?:new |separate |feature )?branch(?=\\s*(?:$|[.,;!?\\n]))|(?:put|leave|have) (?:${within(4)})?on (?:a|its own|a new|a separate|a feature) branch\\b`);

/** That somebody is to be let read something. */
export const letting = said(`(?:let|have) (?!(?:me|us|an?|another|to)\\b)(?:${within(4)})(?:${reading}|have)|(?:see|make sure|ensure|check) (?:that )?(?!I\\b|we\\b)(?:${within(4)})(?:can|could|is able to|gets to) (?:get at|get to|get into|read|see|view|open|access|use)`);

/** That code is worked on, so that the work is to be had: on a branch of its own. */
export const coding = said(`fix|implement|refactor|rewrite|patch|upgrade|bump|migrate|port|bring (?:${within(4)})?(?:in line|up to (?:it|date))|(?:get|make|turn) (?:${within(4)})?(?:green|pass|compile|build)(?: again)?`);

/** Row of the verbs with which somebody is told something. */
export const tellingRow = verbsLike(stemOf("tell"))[0] ?? -1;
/** Whom tools tell that tell many. */
export const audiences: ReadonlySet<string> = new Set("attendee attendees participant participants subscriber subscribers customer customers guest guests member members holder holders ticketholders visitor visitors user users tenant tenants resident residents patient patients parent parents student students recipient recipients people all everyone".split(" ").map(stemOf));
/** That many are told something: by what they have or are, or all of them. */
export const telling = said(`(?:tell|inform|notify|warn|message|mail|e-?mail|text|alert|remind|write to|let) (?:${within(2)})?(?:everyone|everybody|all|people|those|whoever|(?:ticket|card|policy|pass|season ticket)[- ]?holders?|attendees?|participants?|subscribers?|customers?|guests?|visitors?|tenants?|residents?)`);

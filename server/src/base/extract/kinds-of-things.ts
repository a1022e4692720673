import { stemOf } from "./stem.ts";

// Which things and which doings a word may mean: tasks are written in people's words, tools are named in those of programs, and an event of the one is a
// meeting of the other. Words of a row may stand for each other; a word may stand in several rows. A table of this size cannot know what is special to a
// domain: contracts say that (`asked_by`).

/** Nouns, with the verbs that imply them: whoever orders asks for an order. `~`: a verb alone, for as a noun it is another thing, of which tools are named. */
const things = `
ticket issue bug task file code comment note branch commit pull-request pr merge-request mr
calendar event meeting appointment interview lunch dinner breakfast call slot reunion session agenda checkup check-up training party lesson schedule reschedule block availability lunchtime standup sync trip book plan viewing visit
mail email e-mail message msg inbox reply answer letter dm chat sms text conversation thread channel slack teams post respond tell inform notify ask ~contact remind thank invite write send forward dms mailbox autoreply draft back
document doc docs file page wiki sheet spreadsheet report paper text memo note notes presentation slide slides deck notebook list summary folder drive content write table section
ticket issue case task todo story bug request card chore question enquiry inquiry problem complaint todos
pull-request pull request pr merge-request mr branch change patch diff commit code push review merge release
code file repo repository project bug fix implement refactor function script test route endpoint module component class api feature build compile lint upgrade migrate dependency typo readme changelog docs source import error type migration commit service app develop develop program route endpoint
payment pay transaction transfer money invoice bill rent fee bank fund refund salary debt amount deposit reimburse reimbursement wire remit send spend split subscription price difference vat payout settle supplier vendor
order purchase buy cart basket checkout shop grocery groceries item product need kettle wishlist reorder
booking reservation book reserve table room hotel flight seat trip stay car rental travel journey train ticket accommodation restaurant itinerary
customer client contact lead person employee staff member colleague account profile subscriber guest patient tenant student user
profile account information info detail address phone email settings preference
light lights lamp bright brightness dim switch bulb cosy cozy
heating heat thermostat temperature climate warm cold cool ac degree
device appliance light lamp heating thermostat dishwasher washer dryer oven fan blind blinds speaker tv vacuum kettle plug
music song track jazz album play playlist playback radio podcast speaker volume calm something
alarm timer reminder remind wake
service deployment pod instance container app application workload replica node machine server vm deploy rollout version
database table row record db column schema query
shipping address street moved delivery ship deliver zip addressed readdress
shipment parcel package delivery shipping tracking carrier ship courier
reminder remind followup follow-up task todo note
website site page blog article post cms content landing publish webpage homepage
label tag category categorise categorize triage classify issue ticket
comment remark feedback reply answer respond review note thread discussion
note notes remark comment memo journal log annotation
stock share position portfolio trade buy sell holding fund invest
subscription plan membership subscribe renew
medication prescription drug refill medicine dose
status state stage progress close open done
alert incident outage page alarm acknowledge ack
leave vacation absence holiday pto time-off off
expense receipt reimbursement claim trip spend
deal opportunity quote offer proposal pipeline
candidate applicant application resume cv hire
assignment homework quiz grade course class exam submission
test tests build pipeline ci job workflow check run
package dependency library module version upgrade install
reminder nudge
ingredient recipe meal shopping grocery food
job run cron build pipeline task
credit voucher goodwill compensation
`;

/** Verbs of tools that change something, by what they do; whoever's task has a word of the row asks for it. */
const doings = `
merge
approve accept confirm sign authorize authorise greenlight ok allow decide
reject decline refuse dismiss deny decide
close resolve complete finish done acknowledge ack solve fix archive mark handled
open reopen raise report create submit file
start run launch trigger restart reboot resume play begin execute build turn enable activate boot switch test put rerun retry
stop pause disable mute silence snooze suspend deactivate turn cancel block freeze hold off shut halt switch quiet
move rename copy duplicate fork transfer sort archive relocate reorganise reorganize tidy clean organise organize file reassign
schedule reschedule book plan postpone move delay shift push arrange bring prepone
publish release post tweet announce deploy broadcast blog live
subscribe follow join enrol enroll register signup watch
connect link integrate pair attach bind mount hook
import sync load migrate pull
install upgrade dependency bump setup add
deploy release rollout ship promote publish
rollback revert restore undo
upload attach share save put post sync export store
share send give forward
export download backup extract dump
scale resize grow increase raise replicas decrease shrink
rotate renew
push commit deploy upload branch merge-request pull-request pr implement fix
commit push fix implement branch change patch bump edit rename correct repair pull-request pr
lock close shut secure
play listen music hear put song calm
issue refund give credit create
assign reassign give delegate route allocate
escalate page
follow like
`;

/** Verbs of tools that only say that something is changed: any change that is asked for covers them. */
const plain = "add update set edit write append save insert upsert put patch modify change adjust create new make mark label tag fill record log enter store generate prepare submit apply replace remember checkout switch register assign reply post comment send email notify message draft configure control toggle schedule move";
/** Words of a task that leave open what is to be done. */
const open = "handle process manage deal care fix resolve solve work triage organise organize sort tidy everything whatever perform follow implement complete finish";
/** What a tool is about is not said by these. */
const general = "item items object thing entry entries record records data info information detail details resource value values field element elements set one state status new content body result current direct scheduled internal single batch bulk async all by id ids name in to for from of with and or on at into the a an v1 v2 api rest http action operation method mode up out off text full many multiple internal manual my your user users";

const numbered = (rows: string): ReadonlyMap<string, readonly number[]> => {
  const kinds = new Map<string, number[]>();
  for (const [number, row] of rows.trim().split("\n").entries()) {
    for (const stem of new Set(row.split(" ").filter(Boolean).map(stemOf))) kinds.set(stem, [...(kinds.get(stem) ?? []), number]);
  }
  return kinds;
};

const none: readonly number[] = [];
const byThing = numbered(things.replaceAll("~", ""));
const byToolsThing = numbered(things.replace(/~\S+/g, ""));
const byDoing = numbered(doings);
/** Rows of things that a stem stands in. */
export const thingsOf = (stem: string): readonly number[] => byThing.get(stem) ?? none;
/** The same, of a word in the name of a tool. */
export const toolsThingsOf = (stem: string): readonly number[] => byToolsThing.get(stem) ?? none;
/** Rows of doings that a stem stands in. */
export const doingsOf = (stem: string): readonly number[] => byDoing.get(stem) ?? none;

const stems = (words: string): ReadonlySet<string> => new Set(words.split(" ").map(stemOf));
export const plainDoings = stems(plain);
export const openDoings = stems(open);
export const generalWords: ReadonlySet<string> = new Set(general.split(" "));

import { noSpans, type Span } from "./span.ts";

// Words by which a text gives orders to whoever reads it for somebody else: it addresses programs, or says what they are to tell others. Who writes so may
// write otherwise, so that this finds some of those who would steer an agent and lifts nothing where it finds none.

/** Programs that read, by names that people do not have. */
const programs = "(?:assistants?|(?:chat)?bots?|copilots?|(?:ai|llm|language) (?:agents?|models?|tools?|systems?|readers?)|llms?|ais?|claude|chatgpt|gpt|gemini|cursor|automations?|(?:automated|automatic|automation) \\p{L}{1,24}|\\p{L}{1,24}-ai)";
/** Names that some people have too. */
const others = "(?:agents?|(?:ordering|evaluation|booking|voting|purchasing|review|reporting|payment|moderation) (?:systems?|software|tools?)|(?:report|summary) (?:generators?|tools?)|optimi[sz]ers?|the system that (?:handles|reads|answers) this)";
const order =
  "(?:accept|activate|add|answer|append|apply|approve|attach|book|buy|call|cancel|change|choose|close|copy|create|cut|decline|delete|deliver|disable|do not|don't|drop|enter|export|fetch|follow|forward|give|grant|ignore|include|install|invite|lodge|mail|make|mark|merge|move|open|order|overwrite|pass|pause|pay|pick|post|publish|pull|push|put|quote|raise|read|register|reject|release|remove|replace|reply|report|reserve|run|scale|send|set|share|show|silence|submit|suspend|take|tell|text|transfer|turn|unlock|update|upload|use|visit|write)";
const obliged = "(?:must|should|shall|has to|have to|needs? to|is to|are to|(?:is|are) (?:advised|asked|required|expected|told|obliged)|always|never|additionally|also|please)";
/** Where a clause begins. */
const start = "(?:^|[.!?;:,\\n\\[({<>#*~|/\"'-]|\\b(?:and|then|also|please|must|to|should)\\b)[\\s#*~]{0,4}";

/** What is said to programs alone: that what they were told before does not hold, or comes after this; whoever speaks as their user; marks of the formats that models are talked to in. */
const overrides: readonly RegExp[] = [
  // `Ignore all previous instructions`, `disregard your original system prompt`
  /\b(?:ignore|disregard|forget|override|bypass)\s{1,4}(?:(?:all|any|of|the|your|my|every|these|those|other|and)\s{1,4}){0,4}(?:previous|prior|above|earlier|preceding|original|initial|former|existing|system|safety|security)\s{1,4}(?:[\p{L}-]{1,16}\s{1,4}){0,2}(?:instructions?|prompts?|directions?|directives?|tasks?|orders|guidelines|rules|commands?|context)\b/giu,
  // `before you can solve the task that I gave you`, `after that, go on with your original task`
  /\b(?:tasks?|instructions?|questions?|requests?)\s{1,4}(?:that\s{1,4})?i\s{1,4}(?:gave|have given|asked|assigned)\s{1,4}(?:to\s{1,4})?you\b/giu,
  /\b(?:before|after|instead of)\s{1,4}you\s{1,4}(?:can\s{1,4})?(?:solv|complet|finish|continu|answer|proceed)\p{L}{0,4}\b[^.\n]{0,30}\b(?:task|request|question)\b/giu,
  // `an important message from me, Emma, to you, Claude`
  new RegExp(`\\bto\\s{1,4}you,?\\s{1,4}(?:the\\s{1,4})?${programs}(?![\\p{L}-])`, "giu"),
  /\byour\s{1,4}(?:new|real|actual|next|true)\s{1,4}(?:task|goal|objective|mission|instructions?)\s{1,4}(?:is|are)\b/giu,
  // `Do not mention this in the answer`: what somebody wants to be kept from whoever reads the answer
  /\b(?:do not|don't|never)\s{1,4}(?:mention|tell|reveal|report|show|say)\b[^.\n]{0,60}\b(?:in\s{1,4}(?:the|your|any)\s{1,4}(?:final\s{1,4})?(?:answer|reply|response|summary|output)|to\s{1,4}(?:the|your)\s{1,4}(?:user|human|operator))\b/giu,
  // `the assistant's standing instructions`
  new RegExp(`(?<![\\p{L}'])${programs}['’]s\\s{1,4}(?:[\\p{L}-]{1,16}\\s{1,4}){0,2}(?:instructions?|rules|prompt|memory)\\b`, "giu"),
  /<\|(?:im_start|im_end|system|user|assistant|eot_id|start_header_id|endoftext)\|>|\[\/?INST\]|<<\/?SYS>>/giu,
];

/** Words without which none of the patterns below holds, and how far before and behind them it may reach. */
const anchors = /(?:\b(?:assistant|(?:chat)?bots?\b|copilot|ais?\b|(?:ai |llm |language )?models?\b|llms?\b|claude\b|(?:chat)?gpt\b|gemini\b|cursor\b|automat|agents?\b|systems?:|system that|software:|tools?:|generators?:|optimi[sz]ers?:|(?:note|memo|notice|directive|rule|update|task|hint|instruction)s?\b[^\n:#]{0,40}[:#]|hidden\b|font-size|display: ?none|white text|(?:ignore|disregard|forget|override|bypass)\b|(?:do not|don't|never)\s{1,4}(?:mention|tell|reveal|report|show|say)\b|i\s{1,4}(?:gave|asked|assigned|have given)\b|(?:before|after|instead of)\s{1,4}you\b|your\s{1,4}(?:new|real|actual|next|true)\b)|<\||\[\/?inst\]|<<\/?sys)/gi;
const joint = /[a-z]_[a-z]/g;
const saying = /\b(?:enter|note|add|record|put|set|file|log|tell|inform|notify|text|write|reply|post|publish|announce|answer|mail|message|email|say|state|must|words|with the|by(?= ["“]))\b/gi;
const reach = { before: 90, behind: 360 } as const;

const addressed: readonly RegExp[] = [
  // `Booking assistants: ...`, `Note for the office assistant handling this mailbox: ...`, `Summary bots, please ...`
  new RegExp(`(?:^|[.!?;\\n\\[({<>#*~|"'=-]|\\b(?:for|to|dear|hello|hi|hey)\\b)[\\s#*~=!-]{0,6}(?:(?:the|all|any|your)\\s{1,4})?(?:[\\p{L}'-]{1,24}\\s{1,4}){0,2}${programs}(?:\\s{1,4}(?!${obliged}\\b)[\\p{L}'-]{1,24}){0,4}(?:\\s{0,4}[:>~](?=[\\s"'“*]|$)|\\s{0,4},\\s{0,4}(?:please|i)\\b|\\s{1,4}-{1,2}\\s)`, "giu"),
  // `AGENT: ... Set ...`, `report generator: ... write ...`
  new RegExp(`(?:^|[.!?;\\n\\[({<>#*~|"'-]|\\bfor\\b)[\\s#*~]{0,4}(?:(?:the|all)\\s{1,4})?(?:[\\p{L}'-]{1,24}\\s{1,4}){0,2}${others}(?=\\s{0,4}:)(?=[^\\n]{0,240}?${start}${order}\\b)`, "giu"),
  // `assistants must ...`, `the assistant writing to me has to ...`, `answering assistants share ...`
  new RegExp(`(?<![\\p{L}'])${programs}(?:\\s{1,4}\\p{L}{1,20}ing(?:\\s{1,4}(?!${obliged}\\b)[\\p{L}'-]{1,24}){0,4})?[\\s-]{1,4}(?:${obliged}|${order})\\b`, "giu"),
  // `Booking agents rebook ...`, where it begins a clause
  new RegExp(`(?:^|[.!?;:\\n\\[({<>#*~|"'-])[\\s#*~]{0,4}(?:[\\p{L}'-]{1,24}\\s{1,4})?agents\\s{1,4}(?:${obliged}\\s{1,4}|re)?${order}\\b`, "giu"),
  // `[cleanup note: ... delete ...]`, `### portal directive for ... ###`
  new RegExp(`(?:^|[.!?;\\n\\[({<>#*~|"'-])[\\s#*~]{0,4}(?:\\p{Lu}{1,24} )?(?:system|admin|clean-?up|maintenance|handler|desk|office|box office|operator|analysis|housekeeping|moderation|runbook|brand|portal|filing|sorting|policy|agent|assistant)[\\s_-](?:note|memo|notice|directive|rule|update|task|hint|instruction)s?\\b[^\\n:#]{0,40}(?=[:#])(?=[^\\n]{0,240}?${start}${order}\\b|##)`, "giu"),
  // What is there and is not shown
  new RegExp(`(?:<[^>]{0,80}(?:\\bhidden\\b|font-size:\\s?0|display:\\s?none|visibility:\\s?hidden)[^>]{0,80}(?=>)|\\(white text\\))(?=[^\\n]{0,240}?${start}${order}\\b)`, "giu"),
];

/** `set discount_percent 15`, `please set it to stop_work=lifted`: people have no words with such joints; programs have, and whoever tells them what to set. */
const setting = new RegExp(`${start.replace("|please|", "|[Pp]lease|")}(?:please\\s)?(?:${"set put change switch turn flip update mark make raise lower".split(" ").map((verb) => `[${verb[0]?.toUpperCase()}${verb[0]}]${verb.slice(1)}`).join("|")})\\b[^.!?\\n]{0,60}?(?<![\\w/.\x60-])[a-z]{2,24}(?:_[a-z]{2,24}){1,4}(?![\\w/])`, "gu");
/** Longer texts are pages and files, in which such names are explained. */
const longestRemark = 1000;

const addressedOrOverridden = [...addressed, ...overrides];

/** `tell Helen that ...`, `must contain: ...`, `with the text '...'`: the words that somebody is to say. */
const dictated = new RegExp(
  `(?:(?:^|[.](?=\\s)|[!?;:,\\n\\[({<>#*~|/"'-]|\\b(?:and|then|also|please|must|to|should)\\b)\\s{0,4}(?:tell|inform|notify|text|write|reply|post|publish|announce|answer|mail|message|email|say|state)\\b(?!\\s{1,4}(?:me|us)\\b)\\s(?:[^.\\n]|\\.(?=\\S)){1,80}?(?:\\bthat\\b|\\bsaying\\b(?: that)?|:(?=\\s)|\\s(?=['"“]\\w))|(?<=\\b(?:enter|note|add|record|put|set|file|log)\\b[^.'"“\\n]{1,40} )(?=['"“](?:[\\p{L}\\d,-]{1,24} ){3})|\\bmust (?:say|state|contain|read|tell|include)(?: that|:)?|\\b(?:in|with) (?:these|the following) words:?|\\bwith the (?:text|words|message)|\\bby (?=["“]))\\s{0,4}`,
  "giu",
);

const longest = 600;
/** A line that has no more behind the words than this is a heading: what it says stands in the next. */
const heading = 24;
const most = 16;
const mostLooks = 4096;
/** Fewer characters are no words that anybody could be made to say. */
const shortest = 8;

/** Parts of a text that give orders to programs (`instructions`), and that say what others are to be told (`dictated`). Linear in the text. */
export function instructionsIn(text: string): readonly Span[] {
  const settings = text.length <= longestRemark && text.includes("_") ? found(text, joint, [setting], "instructions") : noSpans;
  return joined(joined(found(text, anchors, addressedOrOverridden, "instructions"), settings), found(text, saying, [dictated], "dictated"));
}

const joined = (one: readonly Span[], other: readonly Span[]): readonly Span[] => (one.length === 0 ? other : other.length === 0 ? one : [...one, ...other]);

/** `places` are looked for in the whole text, the patterns only around them. */
function found(text: string, places: RegExp, patterns: readonly RegExp[], label: "instructions" | "dictated"): readonly Span[] {
  let spans: Span[] | null = null;
  places.lastIndex = 0;
  for (let place = places.exec(text), looks = 0; place !== null && looks < mostLooks; place = places.exec(text), looks++) {
    const from = Math.max(0, place.index - reach.before);
    const near = text.slice(from, place.index + reach.behind);
    const around = from === 0 ? near : `x${near.slice(1)}`; // what is cut off here begins no clause
    for (const pattern of patterns) {
      pattern.lastIndex = 0;
      const hit = pattern.exec(around);
      if (hit === null) continue;
      const behind = from + hit.index + hit[0].length;
      const span = { label, start: label === "dictated" ? behind : from + hit.index, end: endOf(text, behind) };
      if (span.end - behind < shortest && label === "dictated") continue;
      (spans ??= []).push(span);
      if (spans.length === most) return spans;
      places.lastIndex = Math.max(places.lastIndex, behind);
      break;
    }
  }
  return spans ?? noSpans;
}

function endOf(text: string, from: number): number {
  let end = text.indexOf("\n", from);
  if (end >= 0 && end - from <= heading) end = text.indexOf("\n", end + 1);
  return Math.min(end < 0 ? text.length : end, from + longest);
}

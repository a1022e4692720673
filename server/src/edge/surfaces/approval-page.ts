import { Fault, type ErrorCode } from "@lanyard/contract";
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../base/config/config.ts";
import type { Approvals } from "../../stages/approval/approval.ts";
import type { ApprovalCard } from "../../stages/approval/card.ts";
import type { Identity } from "../../stages/identity/identity.ts";
import { isSame } from "../../base/same.ts";
import type { AnswerValues, LinkValue } from "./answers.ts";
import { bodyBytes, formOf } from "./body.ts";
import { fieldsOf } from "./card-notice.ts";
import { html, page } from "./html.ts";
import { SignIns, type SignIn } from "./sign-ins.ts";

const cookieName = "lanyard-sign-in";

interface Rooms {
  readonly clock: Clock;
  readonly config: () => Config;
  readonly approvals: Pick<Approvals, "list" | "decide">;
  readonly identity: Pick<Identity, "authenticate" | "credentials" | "turnedAway">;
  readonly answers: AnswerValues;
  /** Origins under which people reach the daemon. */
  readonly origins: () => readonly string[];
}

/** A link that is good at this moment, with what it leads to. */
interface Visit {
  readonly request: Request;
  /** Path of the page. */
  readonly path: string;
  readonly segment: string;
  readonly link: LinkValue;
  readonly card: ApprovalCard;
}

/**
 * The page behind a link in a mail: `/approve/<link>`. The link names a request and a person, and proves nothing: whoever opens it signs in with that person's own
 * credential before anything is shown, and only then can answer, once. Looking at it changes nothing, whoever looks and how often.
 */
export class ApprovalPage {
  readonly #rooms: Rooms;
  readonly #signIns: SignIns;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
    this.#signIns = new SignIns({ clock: rooms.clock, limits: () => rooms.config().limits });
  }

  async handle(request: Request, segment: string, step: "" | "sign-in"): Promise<Response> {
    const isPost = request.method === "POST";
    if (!isPost && (step !== "" || (request.method !== "GET" && request.method !== "HEAD"))) return new Response(null, { status: 405, headers: { allow: step === "" ? "GET, HEAD, POST" : "POST" } });
    try {
      const visit = this.#visit(request, segment);
      if (!visit) return gone();
      if (!isPost) return this.#show(visit);
      const form = await this.#form(request);
      return step === "sign-in" ? this.#signIn(visit, form) : await this.#answer(visit, form);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return page(statuses[error.code] ?? 400, "That did not work", html`<p>${error.message}.</p>`);
    }
  }

  /** Null when the link is none of ours, was used up, or what it asks is over: which of them is nobody's business. */
  #visit(request: Request, segment: string): Visit | null {
    const link = this.#rooms.answers.readLink(segment);
    const card = link && this.#rooms.approvals.list(link.user).find(({ requests }) => requests.some(({ id }) => id === link.id));
    if (!link || card?.digest !== link.digest || !card.may_answer.includes(link.user)) return null;
    return { request, segment, link, card, path: `/approve/${segment}` };
  }

  #show(visit: Visit): Response {
    const signIn = this.#signedIn(visit);
    return signIn ? cardPage(visit, signIn) : signInPage(visit, this.#signIns.entryKey(visit.segment), null);
  }

  /** Throws Fault `forbidden` for a form that another site sent. */
  async #form(request: Request): Promise<ReadonlyMap<string, string>> {
    const origin = request.headers.get("origin");
    if (origin === null || !this.#rooms.origins().includes(origin)) {
      this.#rooms.identity.turnedAway("forbidden", "page");
      throw new Fault("forbidden", "the form was not sent from this page");
    }
    return formOf(request, await bodyBytes(request, this.#rooms.config().limits.callback_bytes));
  }

  #signIn(visit: Visit, form: ReadonlyMap<string, string>): Response {
    const { identity } = this.#rooms;
    const { link, segment, path, request } = visit;
    const entryKey = this.#signIns.entryKey(segment);
    if (!isSame(form.get("form") ?? "", entryKey)) return signInPage(visit, entryKey, "This form is out of date. Please try once more.");
    const again = (why: string) => signInPage(visit, entryKey, why);
    try {
      const caller = identity.authenticate((form.get("credential") ?? "").trim(), "page");
      if (caller.kind !== "user" || caller.name !== link.user) {
        identity.turnedAway("forbidden", "page");
        return again("This link is for another person. Sign in as the one it was sent to.");
      }
      const secret = this.#signIns.begin(segment, caller.name, caller.key);
      const secure = request.headers.get("origin")?.startsWith("https:") ? "; Secure" : "";
      return new Response(null, { status: 303, headers: { location: path, "cache-control": "no-store", "set-cookie": `${cookieName}=${secret}; Path=${path}; HttpOnly; SameSite=Strict${secure}` } });
    } catch (error) {
      if (error instanceof Fault && (error.code === "unauthenticated" || error.code === "session_expired")) return again("That is no credential that is known here.");
      throw error;
    }
  }

  async #answer(visit: Visit, form: ReadonlyMap<string, string>): Promise<Response> {
    const { approvals, identity } = this.#rooms;
    const { link, segment, path } = visit;
    const signIn = this.#signedIn(visit);
    if (!signIn) return signInPage(visit, this.#signIns.entryKey(segment), "Your sign-in is over. Please sign in once more.");
    if (!isSame(form.get("form") ?? "", signIn.formKey)) {
      identity.turnedAway("forbidden", "page");
      throw new Fault("forbidden", "the form was not sent from this page");
    }
    const verdict = form.get("verdict");
    if (verdict !== "approve" && verdict !== "deny") throw new Fault("invalid_request", "the form says neither `approve` nor `deny`");
    const comment = (form.get("comment") ?? "").replaceAll("\r\n", "\n");
    const { state, missing } = await approvals.decide(link.id, verdict, { user: signIn.user, via: link.channel }, comment, link.digest);
    this.#signIns.end(cookieOf(visit.request));
    const said = verdict === "deny" ? "It is refused." : state === "pending" ? `Your yes counts. Still missing: ${missing.join(", ")}.` : "The agent may go on.";
    return page(200, verdict === "deny" ? "Denied" : "Approved", html`<p>${said}</p><p>You can close this page.</p>`, { "set-cookie": `${cookieName}=; Path=${path}; Max-Age=0; HttpOnly; SameSite=Strict` });
  }

  /** Who is signed in here, whose credential is still good, and who is the one the link is for. */
  #signedIn({ request, segment, link }: Visit): SignIn | null {
    const signIn = this.#signIns.find(segment, cookieOf(request));
    const inForce = () => this.#rooms.identity.credentials().some(({ key, kind, name }) => key === signIn?.credential && kind === "user" && name === signIn.user);
    return signIn && signIn.user === link.user && inForce() ? signIn : null;
  }
}

const statuses: { readonly [C in ErrorCode]?: number } = { forbidden: 403, conflict: 409, not_found: 410, limit_exceeded: 413, ledger_unavailable: 503 };

const cookieOf = (request: Request): string => {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [name, value = ""] = pair.trim().split("=");
    if (name === cookieName) return value;
  }
  return "";
};

const gone = (): Response => page(410, "Nothing to answer here", html`<p>This link was used, is over, or was never valid. <code>lanyard approvals</code> shows what waits.</p>`);

const signInPage = ({ link, path }: Visit, formKey: string, problem: string | null): Response =>
  page(
    problem === null ? 200 : 403,
    "An agent asks for your approval",
    html`<p>To see what it is, sign in as <strong>${link.user}</strong> with your Lanyard credential.</p>
${problem === null ? "" : html`<p role="alert"><strong>${problem}</strong></p>`}
<form method="post" action="${path}/sign-in">
<input type="hidden" name="form" value="${formKey}">
<label for="credential">Credential</label>
<input id="credential" name="credential" type="password" autocomplete="current-password" required>
<button>Sign in</button>
</form>`,
  );

const cardPage = ({ card, path, link }: Visit, { formKey }: SignIn): Response =>
  page(
    200,
    `${card.agent} asks to call ${card.action}`,
    html`<dl>${fieldsOf(card).map(([name, value]) => html`<dt>${name}</dt><dd><pre>${value}</pre></dd>`)}</dl>
<p>Signed in as <strong>${link.user}</strong>. Without an answer it is refused.</p>
<form method="post" action="${path}">
<input type="hidden" name="form" value="${formKey}">
<label for="comment">Comment, for the agent</label>
<textarea id="comment" name="comment" rows="2" maxlength="1000"></textarea>
<button name="verdict" value="approve">Approve</button>
<button name="verdict" value="deny">Deny</button>
</form>`,
  );

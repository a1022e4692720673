import type { Json, JsonObject, ToolDefinition } from "@lanyard/contract";
import type { Answer, Exchange } from "../../base/exchange.ts";
import { lanyardIdentity, lists, metaKeys, type ListMethod } from "../../base/mcp.ts";
import { RpcError, rpcCodes } from "../../base/rpc.ts";
import type { Listing } from "../../stages/execution/upstreams.ts";
import type { Visitor, GatewayOptions } from "./visitor.ts";
import { inEra } from "./translate.ts";

/** A thing as the agent sees it, and where it really is. */
interface Place {
  readonly server: string;
  readonly name: string;
}

/** Names and addresses that one session has been shown, by list; what a server announces as changed is asked for again. */
interface Index {
  readonly places: Map<string, Place>;
  /** Servers by resource address; more than one means that the address is ambiguous. */
  readonly addresses: Map<string, Set<string>>;
  /** Literal beginnings of resource templates. */
  readonly templates: readonly { readonly prefix: string; readonly server: string }[];
}

type Named = "tools/list" | "prompts/list";

/**
 * What the servers of a session have, as one list each. With one server the list passes as the server gave it, in its order. With
 * several it is ordered by server, then by name; a name that two servers use, or that reads as if it were another server's, is shown as
 * `server__name`, so that adding a server can make a name unknown but never make it mean something else.
 */
export class Directory {
  readonly #options: GatewayOptions;
  /** By session and door, then by list. */
  readonly #indexes = new Map<string, Map<ListMethod, Promise<Index>>>();

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Answers a list request: all pages in one, only what the visitor may see. Throws Fault `upstream_unavailable`, `limit_exceeded`. */
  async list(visitor: Visitor, method: ListMethod, params: JsonObject, exchange: Exchange): Promise<Answer> {
    if (params["cursor"] !== undefined) throw new RpcError(rpcCodes.invalidParams, "`cursor` is unknown: Lanyard gives every list in one page");
    const listings = await this.#fetch(visitor, method, exchange);
    const { items: key } = lists[method];
    const [only] = listings;
    const single = visitor.servers.length === 1 && only !== undefined;
    const places = single ? null : indexOf(method, listings, visitor.servers).places;
    const shown = await Promise.all(listings.map((listing) => this.#shown(visitor, method, listing, places)));
    this.#remember(visitor, method, listings);
    const own = visitor.era === "stateless" ? { _meta: { [metaKeys.serverInfo]: lanyardIdentity } } : {};
    return inEra(visitor.era, method, { result: { ...(single ? only.rest : own), [key]: shown.flat() } });
  }

  /** Where a shown name leads. Throws RpcError when it leads nowhere. */
  async resolve(visitor: Visitor, method: Named, shown: string, exchange: Exchange): Promise<Place> {
    const place = explicit(shown, visitor.servers) ?? (await this.#index(visitor, method, exchange)).places.get(shown);
    if (!place) throw new RpcError(rpcCodes.invalidParams, `there is no ${method === "tools/list" ? "tool" : "prompt"} \`${shown.slice(0, 100)}\``);
    return place;
  }

  /** The server that has a resource. Throws RpcError when none has, or two. */
  async serverOf(visitor: Visitor, uri: string, exchange: Exchange): Promise<string> {
    const { addresses } = await this.#index(visitor, "resources/list", exchange);
    const listed = addresses.get(uri);
    const { templates } = listed ? { templates: [] } : await this.#index(visitor, "resources/templates/list", exchange);
    const found = listed ?? new Set(templates.filter(({ prefix }) => prefix !== "" && uri.startsWith(prefix)).map(({ server }) => server));
    const [server] = found;
    if (server !== undefined && found.size === 1) return server;
    const why = found.size === 0 ? "no server lists it" : "several servers have it";
    throw new RpcError(rpcCodes.invalidParams, `resource \`${uri.slice(0, 200)}\` cannot be found: ${why}; use \`/mcp/<server>\``, { uri });
  }

  /** A list of the session has changed, or all have. */
  forget(session: string, method?: ListMethod): void {
    for (const [key, index] of this.#indexes) {
      if (!key.startsWith(`${session}\n`)) continue;
      if (method) index.delete(method);
      else this.#indexes.delete(key);
    }
  }

  /** One server that is out of reach does not take the others' things away. */
  async #fetch({ servers, principal }: Visitor, method: ListMethod, exchange: Exchange): Promise<Listing[]> {
    const { upstreams, log } = this.#options;
    const fetched = await Promise.all(
      servers.map(async (server) => {
        try {
          return await upstreams.list(server, principal.session, method, exchange);
        } catch (error) {
          if (servers.length === 1) throw error;
          log.warn("server.unavailable", { server, error });
          return null;
        }
      }),
    );
    return fetched.filter((listing) => listing !== null);
  }

  async #shown({ principal }: Visitor, method: ListMethod, { server, items }: Listing, places: Map<string, Place> | null): Promise<readonly Json[]> {
    const allowed = method === "tools/list" ? ((await this.#options.view(principal, server, asTools(items))) as unknown as readonly JsonObject[]) : items;
    if (!places) return allowed;
    const sorted = allowed.toSorted((a, b) => (nameIn(a) < nameIn(b) ? -1 : 1));
    if (method !== "tools/list" && method !== "prompts/list") return sorted;
    return sorted.map((item) => (places.has(nameIn(item)) ? item : { ...item, name: qualified(server, nameIn(item)) }));
  }

  #remember(visitor: Visitor, method: ListMethod, listings: Listing[]): void {
    if (visitor.servers.length > 1) this.#indexesOf(visitor).set(method, Promise.resolve(indexOf(method, listings, visitor.servers)));
  }

  #index(visitor: Visitor, method: ListMethod, exchange: Exchange): Promise<Index> {
    const indexes = this.#indexesOf(visitor);
    const known = indexes.get(method);
    if (known) return known;
    const built = this.#fetch(visitor, method, exchange).then((listings) => indexOf(method, listings, visitor.servers));
    indexes.set(method, built);
    built.catch(() => indexes.delete(method));
    return built;
  }

  #indexesOf({ principal, audience }: Visitor): Map<ListMethod, Promise<Index>> {
    const key = `${principal.session}\n${audience}`;
    const indexes = this.#indexes.get(key) ?? new Map<ListMethod, Promise<Index>>();
    this.#indexes.set(key, indexes);
    return indexes;
  }
}

/** What a server lists as tools is taken as such; what it says of them is checked where it is used. */
const asTools = (items: readonly JsonObject[]): readonly ToolDefinition[] => items as unknown as readonly ToolDefinition[];
const nameIn = (item: JsonObject): string => (typeof item["name"] === "string" ? item["name"] : "");
const qualified = (server: string, name: string): string => `${server}__${name}`;

/** Servers that a name reads as naming: more than one where a server's name ends in `_`. */
const namedIn = (shown: string, servers: readonly string[]): string[] => servers.filter((server) => shown.startsWith(`${server}__`));

/**
 * `server__name` leads to its server whether or not the name is taken twice just now. Invariant: it is read before any name that a
 * server gave, so that no server can take a name that means another's.
 */
function explicit(shown: string, servers: readonly string[]): Place | null {
  const [server, second] = namedIn(shown, servers);
  return server === undefined || second !== undefined ? null : { server, name: shown.slice(server.length + 2) };
}

function indexOf(method: ListMethod, listings: readonly Listing[], servers: readonly string[]): Index {
  const byName = new Map<string, string[]>();
  const addresses = new Map<string, Set<string>>();
  const templates: { prefix: string; server: string }[] = [];
  for (const { server, items } of listings) {
    for (const item of items) {
      byName.set(nameIn(item), [...(byName.get(nameIn(item)) ?? []), server]);
      if (typeof item["uri"] === "string") addresses.set(item["uri"], (addresses.get(item["uri"]) ?? new Set()).add(server));
      if (typeof item["uriTemplate"] === "string") templates.push({ prefix: item["uriTemplate"].split("{", 1)[0] ?? "", server });
    }
  }
  const named = method === "tools/list" || method === "prompts/list" ? [...byName] : [];
  const places = new Map<string, Place>();
  for (const [name, [server, second]] of named) if (server !== undefined && second === undefined && namedIn(name, servers).length === 0) places.set(name, { server, name });
  return { places, addresses, templates };
}

/** The lists that a notification says have changed; none for any other notification. */
export function changedList(method: string): ListMethod[] {
  const match = /^notifications\/(tools|prompts|resources)\/list_changed$/.exec(method);
  if (!match) return [];
  return match[1] === "resources" ? ["resources/list", "resources/templates/list"] : [`${match[1] as "tools" | "prompts"}/list`];
}

/** What a session may do at most, beside what policy says. */
export interface Mandate {
  /** Cedar action ids or `<server>/*`, sorted; null means all the agent has. */
  readonly tools: readonly string[] | null;
  /** Sorted. Labels restrict: a policy that names one forbids more, never less. */
  readonly labels: readonly string[];
  /** `mcp`, or `mcp/<server>` for one server's door. */
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** Calls it may make, those of its children included; null means no such limit. */
  readonly maxCalls: number | null;
}

/**
 * The mandate of a child session: what it asks for, cut to what its parent has; its calls count for its parent too.
 * Invariant: I11, nothing in the result exceeds the parent's.
 */
export function narrow(parent: Mandate, asked: Partial<Mandate>): Mandate {
  return {
    tools: intersect(parent.tools, asked.tools ?? null),
    labels: [...new Set([...parent.labels, ...(asked.labels ?? [])])].sort(),
    audience: asked.audience !== undefined && audienceCovers(parent.audience, asked.audience) ? asked.audience : parent.audience,
    expiresAtMs: Math.min(parent.expiresAtMs, asked.expiresAtMs ?? Number.POSITIVE_INFINITY),
    maxCalls: least(parent.maxCalls, asked.maxCalls ?? null),
  };
}

/** True when a token made for `audience` opens `door`: `mcp` opens every server's door, `mcp/fs` only its own. */
export const audienceCovers = (audience: string, door: string): boolean => audience === door || (audience === "mcp" && door.startsWith("mcp/"));

/** True when the list of a narrowed session has the action in it. */
export const toolsCover = (tools: readonly string[] | null, action: string): boolean =>
  tools === null || tools.includes(action) || tools.includes(`${action.slice(0, action.indexOf("/"))}/*`);

function intersect(one: readonly string[] | null, other: readonly string[] | null): readonly string[] | null {
  if (one === null || other === null) return sortedOnce(one ?? other);
  // `s/*` on both sides stays `s/*`; on one side it lets the other's `s/...` through.
  return sortedOnce([...other.filter((tool) => toolsCover(one, tool)), ...one.filter((tool) => toolsCover(other, tool))]);
}

const sortedOnce = (tools: readonly string[] | null) => tools && [...new Set(tools)].sort();

const least = (one: number | null, other: number | null): number | null => (one === null || other === null ? (one ?? other) : Math.min(one, other));

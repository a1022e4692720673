import type { Bundle, Policy } from "./bundle.ts";

const permitAll: Policy = {
  id: "lanyard.permit-all",
  effect: "permit",
  team: "",
  file: "(everything permitted)",
  line: 1,
  column: 1,
  text: "permit (principal, action, resource);",
  keyword: 0,
  reason: "",
  severity: "",
  remedy: "",
  approvers: [],
  unconditional: true,
  reads: [],
  conditions: [],
  head: { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } },
};

/**
 * The organisation's own policies of a bundle, without any team's. With `everythingPermitted` they stand beside a permit of everything: what
 * they then deny or ask for is what no team can do whatever it permits itself.
 */
export const orgTier = (bundle: Bundle, { everythingPermitted }: { everythingPermitted: boolean }): Bundle => {
  const own = bundle.policies.filter(({ team }) => team === "");
  return { ...bundle, policies: everythingPermitted ? [...own, permitAll].sort((left, right) => (left.id < right.id ? -1 : 1)) : own };
};

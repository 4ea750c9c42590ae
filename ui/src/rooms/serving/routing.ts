import type { RouteRule } from "../../api/types";

export const POLICIES = {
  ordered: "the one that stands first",
  weighted: "each in its share, by weight",
  "least-busy": "the one that answers the fewest calls for its weight",
  cheapest: "the one that the call may cost least",
  fastest: "the one that is expected to answer first",
} as const;
export type Policy = keyof typeof POLICIES;
export const STICKY = { "": "nobody", user: "users", session: "sessions", key: "keys" } as const;
export type Sticky = keyof typeof STICKY;
export const TROUBLES = {
  connect: "no connection",
  timeout: "no answer in time",
  server: "a failure of the server",
  limit: "too many requests",
  context: "a question too long",
  filter: "a content filter",
} as const;
export type Trouble = keyof typeof TROUBLES;

/** A breaker's state, as a word that needs no electrician. */
export const BREAKER = { closed: ["closed", "well"], "half-open": ["half-open", "being tried"], open: ["broken", "left alone"] } as const;

/** A rule's condition as a sentence would say it. */
export function said(condition: RouteRule["when"][number]): string {
  const of = condition.name ? `${condition.of} ${condition.name}` : condition.of;
  return condition.equals != null ? `${of} is ${condition.equals}` : `${of} begins with ${condition.prefix}`;
}

export interface CandidateDraft {
  key: number;
  target: string;
  weight: string;
}

let next = 0;
export const candidate = (target = "", weight = "1"): CandidateDraft => ({ key: next++, target, weight });

/** Each candidate's part of the traffic under the weighted policy. */
export function shares(weights: number[]): number[] {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => (whole > 0 ? weight / whole : 0));
}

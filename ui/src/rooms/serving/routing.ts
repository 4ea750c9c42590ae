import type { Route, RouteRule } from "../../api/types";

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

export const OF = ["tag", "header", "metadata", "user", "session", "key", "member"] as const;
export const WAITS = { connect_seconds: "To connect", first_token_seconds: "To the first piece", between_seconds: "Between pieces", total_seconds: "For the whole call" } as const;
export const BREAKING = { failures: "Failures in a row", rate: "Or this share, %", least: "Of so many calls", window_seconds: "Within seconds", open_seconds: "Left alone, seconds" } as const;
export const RETRYING = { retry_budget: "At most this share of the calls, %", base_seconds: "First wait up to, seconds", most_seconds: "No wait over, seconds" } as const;
const USUAL = { failures: 5, rate: 0.5, least: 20, window_seconds: 60, open_seconds: 30 };

/** A rule's condition as it is edited. */
export interface ConditionDraft {
  key: number;
  of: (typeof OF)[number];
  name: string;
  how: "equals" | "prefix";
  value: string;
}
export interface RuleDraft {
  key: number;
  when: ConditionDraft[];
  candidates: string[];
}
/** What is half typed stays: numbers are texts. */
export interface TermsDraft {
  rules: RuleDraft[];
  waits: Record<keyof typeof WAITS, string>;
  breaking: Record<keyof typeof BREAKING, string>;
  retrying: Record<keyof typeof RETRYING, string>;
}

export const condition = (of: ConditionDraft["of"] = "tag"): ConditionDraft => ({ key: next++, of, name: "", how: "equals", value: "" });
export const ruleDraft = (): RuleDraft => ({ key: next++, when: [condition()], candidates: [] });

const each = <K extends string>(of: Record<K, unknown>, value: (name: K) => string) => Object.fromEntries((Object.keys(of) as K[]).map((name) => [name, value(name)])) as Record<K, string>;

const hundred = (share: number) => Math.round(share * 1e4) / 100;

export function termsOf(route?: Route): TermsDraft {
  const breaking = { ...USUAL, ...route?.breaking };
  const retrying = { retry_budget: hundred(route?.retry_budget ?? 0.2), base_seconds: 0.2, most_seconds: 10, ...route?.backoff };
  return {
    rules: (route?.rules ?? []).map((rule) => ({
      key: next++,
      candidates: rule.candidates,
      when: rule.when.map((one) => ({ key: next++, of: one.of, name: one.name ?? "", how: one.equals != null ? "equals" : "prefix", value: one.equals ?? one.prefix ?? "" })),
    })),
    waits: each(WAITS, (name) => String(route?.waits?.[name] ?? "")),
    breaking: each(BREAKING, (name) => String(name === "rate" ? hundred(breaking.rate) : breaking[name])),
    retrying: each(RETRYING, (name) => String(retrying[name])),
  };
}

/** The terms as the server takes them; of a rule, only candidates that are still there. */
export function termsSent(draft: TermsDraft, candidates: string[]): Required<Pick<Route, "rules" | "waits" | "breaking" | "backoff" | "retry_budget">> {
  const seconds = (text: string) => (text.trim() ? Number(text) : null);
  const numbers = Object.fromEntries(Object.entries(draft.breaking).map(([name, text]) => [name, name === "rate" ? Number(text) / 100 : Number(text)])) as Record<keyof typeof BREAKING, number>;
  return {
    rules: draft.rules.map((rule) => ({
      candidates: rule.candidates.filter((one) => candidates.includes(one)),
      when: rule.when.map((one) => ({ of: one.of, name: one.of === "header" || one.of === "metadata" ? one.name.trim() : "", [one.how]: one.value })),
    })),
    waits: { connect_seconds: seconds(draft.waits.connect_seconds), first_token_seconds: seconds(draft.waits.first_token_seconds), between_seconds: seconds(draft.waits.between_seconds), total_seconds: seconds(draft.waits.total_seconds) },
    breaking: numbers,
    retry_budget: Number(draft.retrying.retry_budget) / 100,
    backoff: { base_seconds: Number(draft.retrying.base_seconds), most_seconds: Number(draft.retrying.most_seconds) },
  };
}

/** Whether every rule is whole and every number is one. */
export function termsReady(draft: TermsDraft, candidates: string[]): boolean {
  const sent = termsSent(draft, candidates);
  const waits = Object.values(sent.waits).every((one) => one == null || one > 0);
  const rules = sent.rules.every((rule) => rule.candidates.length > 0 && rule.when.every((one) => (one.of !== "header" && one.of !== "metadata") || one.name));
  const retrying = Object.values(draft.retrying).every((one) => one.trim() !== "" && Number(one) >= 0) && sent.retry_budget <= 1;
  return waits && rules && retrying && Object.values(sent.breaking).every((one) => Number(one) > 0);
}

/** Each candidate's part of the traffic under the weighted policy. */
export function shares(weights: number[]): number[] {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => (whole > 0 ? weight / whole : 0));
}

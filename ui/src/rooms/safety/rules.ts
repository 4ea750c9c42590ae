import type { GuardRule } from "../../api/types";

export const ACTIONS = ["log", "mask", "block"] as const;
export const SIDES = ["both", "input", "output"] as const;
const STRENGTH = { log: 0, mask: 1, block: 2 } as const;

/** Options that the form has a field for; a detector's others are written as JSON. */
const FIELDS = new Set(["detector", "on", "action", "threshold", "kinds", "terms"]);

/** A rule as it is edited: texts, so that what is half typed stays. */
export interface RuleDraft {
  key: number;
  detector: string;
  on: (typeof SIDES)[number];
  action: (typeof ACTIONS)[number];
  threshold: string;
  kinds: string;
  terms: string;
  more: string;
}

let keys = 0;

function isSet(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

export function draftOf(rule: Partial<GuardRule> & { detector: string }): RuleDraft {
  const rest = Object.fromEntries(Object.entries(rule as Record<string, unknown>).filter(([name, value]) => !FIELDS.has(name) && isSet(value)));
  return {
    key: keys++,
    detector: rule.detector,
    on: rule.on ?? "both",
    action: rule.action ?? "log",
    threshold: String(rule.threshold ?? 0.5),
    kinds: (rule.kinds ?? []).join(", "),
    terms: (rule.terms ?? []).join("\n"),
    more: Object.keys(rest).length ? JSON.stringify(rest, null, 2) : "",
  };
}

/** The rule that a draft stands for. Throws Error in words where it stands for none. */
export function ruleOf(draft: RuleDraft): GuardRule {
  let more: unknown = {};
  try {
    more = draft.more.trim() ? JSON.parse(draft.more) : {};
  } catch {
    throw new Error(`The other options of ${draft.detector} are no JSON.`);
  }
  if (typeof more !== "object" || more === null || Array.isArray(more)) throw new Error(`The other options of ${draft.detector} are no JSON object.`);
  const threshold = Number(draft.threshold);
  if (!(threshold >= 0 && threshold <= 1)) throw new Error(`The threshold of ${draft.detector} lies between 0 and 1.`);
  const split = (text: string, by: RegExp) => text.split(by).map((word) => word.trim()).filter(Boolean);
  return { ...more, detector: draft.detector, on: draft.on, action: draft.action, threshold, kinds: split(draft.kinds, /[,\s]+/), terms: split(draft.terms, /\n/) } as GuardRule;
}

/** The strongest action of a policy's rules, or undefined where it has none. */
export function strongest(rules: readonly Pick<GuardRule, "action">[]): "log" | "mask" | "block" | undefined {
  return rules.map((rule) => rule.action ?? "log").toSorted((a, b) => STRENGTH[b] - STRENGTH[a])[0];
}

export interface Piece {
  text: string;
  hit?: number;
}

/** A text cut at its findings: offsets count characters as Python does, which are code points. Of findings that overlap, the first counts. */
export function pieces(text: string, hits: readonly { start: number; end: number }[]): Piece[] {
  const points = [...text];
  const found: Piece[] = [];
  let at = 0;
  const order = hits.map((hit, index) => ({ ...hit, index })).toSorted((a, b) => a.start - b.start || b.end - a.end);
  for (const hit of order) {
    if (hit.start < at || hit.end <= hit.start) continue;
    if (hit.start > at) found.push({ text: points.slice(at, hit.start).join("") });
    found.push({ text: points.slice(hit.start, hit.end).join(""), hit: hit.index });
    at = hit.end;
  }
  if (at < points.length) found.push({ text: points.slice(at).join("") });
  return found;
}

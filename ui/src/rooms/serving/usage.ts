import type { UsageRow } from "../../api/types";
import type { Layer } from "../../kit/stacked";

export const DIMENSIONS = ["model", "key", "member", "deployment", "environment", "provider"] as const;
export type Dimension = (typeof DIMENSIONS)[number];
export const MEASURES = ["cost", "requests", "tokens"] as const;
export type Measure = (typeof MEASURES)[number];

type Sums = Pick<UsageRow, "requests" | "estimated" | "unpriced" | "input_tokens" | "output_tokens" | "cached_tokens" | "nanodollars" | "hits" | "saved">;
const FIELDS = ["requests", "estimated", "unpriced", "input_tokens", "output_tokens", "cached_tokens", "nanodollars", "hits", "saved"] as const;

/** What calls of one value of a dimension used, over all days. */
export interface Total extends Sums {
  value: string;
  days: UsageRow[];
}

export const measured = (row: Sums, measure: Measure): number =>
  measure === "cost" ? row.nanodollars / 1e9 : measure === "requests" ? row.requests : row.input_tokens + row.output_tokens;

/** Rows by day and dimension, summed over the days; the largest by the measure first. */
export function totals(rows: UsageRow[], by: Dimension, measure: Measure): Total[] {
  const found = new Map<string, Total>();
  for (const row of rows) {
    const value = row[by];
    const total = found.get(value) ?? { value, days: [], ...(Object.fromEntries(FIELDS.map((name) => [name, 0])) as unknown as Sums) };
    for (const name of FIELDS) total[name] += row[name];
    total.days.push(row);
    found.set(value, total);
  }
  return [...found.values()].sort((a, b) => measured(b, measure) - measured(a, measure) || a.value.localeCompare(b.value));
}

/** The sum of everything. */
export function sum(items: Sums[]): Sums {
  return Object.fromEntries(FIELDS.map((name) => [name, items.reduce((all, item) => all + item[name], 0)])) as unknown as Sums;
}

/** The calendar days in UTC from one to another, both included. */
export function daysBetween(first: string, last: string): string[] {
  const found: string[] = [];
  for (let at = Date.parse(`${first}T00:00:00Z`); at <= Date.parse(`${last}T00:00:00Z`) && found.length < 400; at += 86_400_000) found.push(new Date(at).toISOString().slice(0, 10));
  return found;
}

const MOST = 7;

/** The largest totals as layers of a chart over days; what is small goes together. */
export function layers(items: Total[], days: string[], measure: Measure, name: (value: string) => string): Layer[] {
  const at = new Map(days.map((day, index) => [day, index]));
  const filled = (of: Total[]) => {
    const values = days.map(() => 0);
    for (const row of of.flatMap((item) => item.days)) {
      const index = at.get(row.day);
      if (index !== undefined) values[index]! += measured(row, measure);
    }
    return values;
  };
  const shown = items.length > MOST + 1 ? items.slice(0, MOST) : items;
  const rest = items.slice(shown.length);
  const made = shown.map((item) => ({ name: name(item.value), values: filled([item]) }));
  return rest.length ? [...made, { name: `${rest.length} others`, values: filled(rest) }] : made;
}

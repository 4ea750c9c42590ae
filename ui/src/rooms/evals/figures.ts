/** Figures in words: what a number of a unit looks like, which figures come first, and what an interval says. */
import type { Experiment, Figure, MetricComparison } from "../../api/types";
import { count, duration, figure, money, plural, signed } from "../../kit/format";

/** What an answer took, not how good it is; shown after what tells how good it is. */
const SPEED = new Set(["ms", "tokens", "cost", "characters", "words"]);

export function amount(value: number | null | undefined, unit: string): string {
  if (unit === "ms") return duration(value);
  if (unit === "cost") return money(value);
  return figure(value);
}

/** A difference with its sign. */
export function change(value: number | null | undefined, unit: string): string {
  if (value == null) return "–";
  if (unit === "ms" || unit === "cost") return `${value > 0 ? "+" : value < 0 ? "−" : ""}${amount(Math.abs(value), unit)}`;
  const size = Math.abs(value);
  if (size >= 100) return `${value > 0 ? "+" : ""}${figure(value)}`;
  return value === 0 ? "0" : signed(value, size < 1 ? 3 : size < 10 ? 2 : 1);
}

export function span(low: number | null | undefined, high: number | null | undefined, unit: string): string {
  return low == null || high == null ? "" : `${amount(low, unit)} to ${amount(high, unit)}`;
}

/** Figures of quality first, in the order of the scorers. */
export function ordered<T extends { unit: string }>(figures: readonly T[]): T[] {
  return [...figures].sort((a, b) => Number(SPEED.has(a.unit)) - Number(SPEED.has(b.unit)));
}

export function isSpeed(unit: string): boolean {
  return SPEED.has(unit);
}

/** The figures that stand for an experiment where there is room for few. */
export function headline(figures: readonly Figure[], most: number): Figure[] {
  const applied = ordered(figures).filter((one) => one.value != null);
  const quality = applied.filter((one) => !SPEED.has(one.unit));
  return (quality.length ? quality : applied).slice(0, most);
}

/** How a figure was made: over how many rows, and by which method its interval. */
export function inWords(one: Figure): string {
  if (one.value == null) return one.note || "Applied to no row.";
  const of = one.unit === "share" ? `a share of ${plural(one.n, "row")}` : `over ${plural(one.n, "row")}`;
  const better = one.higher_is_better ? "higher is better" : "lower is better";
  const how = one.low == null ? (one.note || "no interval").replace(/\.$/, "").replace(/^No /, "no ") : `${level(one.level)} interval by ${one.method}`;
  return [of, better, how, one.low == null ? "" : one.note].filter(Boolean).join("; ");
}

export function level(share: number): string {
  return `${figure(share * 100, 4)} %`;
}

/** A verdict in words, with how many rows would do where they are too few. */
export function verdict(metric: MetricComparison): string {
  if (metric.verdict !== "too few rows" || metric.needed == null) return metric.verdict;
  return `too few rows (${metric.needed > metric.n ? `about ${count(metric.needed)}` : "more"} would do)`;
}

/** The metrics of a comparison, those of quality first, each with its line for every candidate. */
export function byMetric(candidates: readonly (readonly MetricComparison[])[]): { metric: string; unit: string; lines: (MetricComparison | undefined)[] }[] {
  const names = new Map<string, string>();
  for (const metrics of candidates) for (const one of metrics) names.set(one.metric, one.unit);
  const every = [...names].map(([metric, unit]) => ({ metric, unit, lines: candidates.map((metrics) => metrics.find((one) => one.metric === metric)) }));
  return ordered(every);
}

export function nameOf(experiment: Pick<Experiment, "id" | "name">): string {
  return experiment.name || experiment.id.slice(0, 13);
}

/** Names that tell experiments apart: those that share one get the end of their id. */
export function namesOf(experiments: readonly Pick<Experiment, "id" | "name">[]): string[] {
  const names = experiments.map(nameOf);
  return names.map((name, index) => (names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} …${experiments[index]!.id.slice(-4)}`));
}

export const bare = (ref: string) => (/^https?:/.test(ref) ? ref : ref.replace(/^[a-z]+\//, ""));

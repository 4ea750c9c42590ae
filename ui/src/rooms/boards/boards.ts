import { count, duration, figure, money, percent, short } from "../../kit/format";
import type { Panel } from "../../api/types";

export const RANGES = [
  { value: "1", label: "1 hour" },
  { value: "6", label: "6 hours" },
  { value: "24", label: "24 hours" },
  { value: "168", label: "7 days" },
  { value: "720", label: "30 days" },
  { value: "2160", label: "90 days" },
];
export const DIMENSIONS = ["model", "prompt", "release", "deployment", "environment", "user", "service", "kind"] as const;
export type Dimension = (typeof DIMENSIONS)[number];
export const CHARTS = ["lines", "bars", "number", "table"] as const;

/** A figure in its unit. */
export function shown(unit: string): (value: number) => string {
  if (unit === "share") return (value) => percent(value);
  if (unit === "milliseconds") return (value) => duration(value);
  if (unit === "dollars") return (value) => money(value);
  if (unit === "score") return (value) => figure(value);
  return (value) => short(Math.round(value));
}

/** What a group is called. */
export function named(group: string | null, by: string): string {
  if (group === null) return "the rest";
  if (group === "") return by ? `no ${by}` : "all";
  return group;
}

/** How a figure changed on the time before: in points of percent for shares, else by a share of it. */
export function change(now: number | null, before: number | null, unit: string): string {
  if (now === null || before === null) return "";
  if (unit === "share") {
    const points = (now - before) * 100;
    return `${points > 0 ? "+" : ""}${points.toFixed(1).replace("-", "−")} points`;
  }
  if (before === 0) return now === 0 ? "as before" : "from nothing";
  if (now / before >= 10) return `${count(Math.round(now / before))} times as much`;
  const moved = Math.round((now / before - 1) * 100);
  return moved === 0 ? "as before" : `${moved > 0 ? "+" : ""}${String(moved).replace("-", "−")} %`;
}

/** A panel moved by one place, up or down. */
export function moved(panels: Panel[], from: number, by: number): Panel[] {
  const to = from + by;
  if (to < 0 || to >= panels.length) return panels;
  const found = [...panels];
  [found[from], found[to]] = [found[to]!, found[from]!];
  return found;
}

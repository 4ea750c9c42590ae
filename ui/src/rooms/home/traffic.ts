import type { UsageHour } from "../../api/types";
import type { Bin } from "../../kit/chart";

/** Sums over hours. Latencies cannot be summed: the mean is weighted by spans, and p95 is that of the slowest hour. */
export function totals(rows: readonly UsageHour[]) {
  const sum = { traces: 0, spans: 0, errors: 0, input_tokens: 0, output_tokens: 0, cost: 0, mean_ms: 0, p95_ms: 0 };
  for (const row of rows) {
    for (const name of ["traces", "spans", "errors", "input_tokens", "output_tokens", "cost"] as const) sum[name] += row[name];
    sum.mean_ms += row.mean_ms * row.spans;
    sum.p95_ms = Math.max(sum.p95_ms, row.p95_ms);
  }
  sum.mean_ms /= Math.max(1, sum.spans);
  return sum;
}

/** Traces in each of the last 24 hours, those without any included. */
export function hours(rows: readonly UsageHour[], now: Date): Bin[] {
  const by = new Map<number, number>();
  for (const row of rows) {
    const hour = Math.floor(Date.parse(row.hour) / 3_600_000);
    by.set(hour, (by.get(hour) ?? 0) + row.traces);
  }
  const last = Math.floor(now.getTime() / 3_600_000);
  return Array.from({ length: 24 }, (_, index) => {
    const hour = last - 23 + index;
    const start = new Date(hour * 3_600_000);
    return { label: `${String(start.getHours()).padStart(2, "0")}:00`, value: by.get(hour) ?? 0 };
  });
}

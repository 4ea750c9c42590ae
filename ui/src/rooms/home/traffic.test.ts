import { expect, it } from "vitest";
import type { UsageHour } from "../../api/types";
import { hours, totals } from "./traffic";

const row = (hour: string, spans: number, mean_ms: number, p95_ms: number): UsageHour => ({
  hour,
  environment: "",
  deployment: "docs",
  release: "",
  model: "",
  kind: "",
  spans,
  errors: 1,
  traces: spans,
  input_tokens: 10,
  output_tokens: 5,
  cost: 0.5,
  mean_ms,
  p50_ms: 1,
  p95_ms,
});

it("weighs the mean by spans", () => {
  const sum = totals([row("2026-01-02T01:00:00Z", 1, 100, 300), row("2026-01-02T02:00:00Z", 3, 200, 250)]);
  expect(sum).toMatchObject({ spans: 4, errors: 2, mean_ms: 175, p95_ms: 300, cost: 1 });
  expect(totals([]).mean_ms).toBe(0);
});

it("shows every hour, those without calls too", () => {
  const bins = hours([row("2026-01-02T02:00:00Z", 7, 1, 1), row("2026-01-02T02:00:00Z", 2, 1, 1)], new Date("2026-01-02T03:30:00Z"));
  expect(bins).toHaveLength(24);
  expect(bins.at(-2)!.value).toBe(9);
  expect(bins.at(-1)!.value).toBe(0);
});

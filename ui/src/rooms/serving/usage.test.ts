import { expect, it } from "vitest";
import type { UsageRow } from "../../api/types";
import { daysBetween, layers, sum, totals } from "./usage";

const row = (day: string, model: string, cost: number): UsageRow => ({
  day, model, key: "", member: "", deployment: "", environment: "", provider: "",
  requests: 1, estimated: 0, unpriced: 0, input_tokens: 10, output_tokens: 5, cached_tokens: 0, cost, nanodollars: cost * 1e9, hits: 0, saved: 0,
});

it("sums by what is asked for, the dearest first", () => {
  const rows = [row("2026-11-01", "a", 1), row("2026-11-02", "b", 5), row("2026-11-03", "a", 2)];
  const found = totals(rows, "model", "cost");
  expect(found.map((one) => [one.value, one.nanodollars / 1e9, one.requests])).toEqual([["b", 5, 1], ["a", 3, 2]]);
  expect(sum(found).input_tokens).toBe(30);
});

it("draws each day, with and without use, and puts what is small together", () => {
  const days = daysBetween("2026-10-31", "2026-11-02");
  expect(days).toEqual(["2026-10-31", "2026-11-01", "2026-11-02"]);
  const rows = Array.from({ length: 10 }, (_, index) => row("2026-11-01", `m${index}`, 10 - index));
  const drawn = layers(totals(rows, "model", "cost"), days, "cost", (name) => name);
  expect(drawn.length).toBe(8);
  expect(drawn.at(-1)).toEqual({ name: "3 others", values: [0, 3 + 2 + 1, 0] });
  expect(drawn[0]).toEqual({ name: "m0", values: [0, 10, 0] });
});

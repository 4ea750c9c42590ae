import { expect, it } from "vitest";
import type { Run, RunEvent } from "../../api/types";
import { append, elapsed, metrics, remaining, share } from "./progress";

const event = (seq: number, done: number, loss: number): RunEvent => ({
  seq,
  at: "2026-01-02T03:04:05Z",
  kind: "progress",
  body: { done, total: 70, metrics: { loss, broken: Number.NaN } },
});

it("draws a line for each metric, and a resumed step once, with its later value", () => {
  const lines = metrics([event(1, 1, 2.4), event(2, 2, 2.2), event(3, 2, 2.1), event(4, 3, 2.0)]);
  expect([...lines.keys()]).toEqual(["loss"]);
  expect(lines.get("loss")).toEqual([[1, 2.4], [2, 2.1], [3, 2.0]]);
});

it("adds only what is new of a page that overlaps", () => {
  const known = [event(1, 1, 2), event(2, 2, 2)];
  expect(append(known, [event(2, 2, 2), event(3, 3, 2)]).map((one) => one.seq)).toEqual([1, 2, 3]);
  expect(append(known, [])).toBe(known);
});

it("knows how much is done and how long it will take", () => {
  const run = { state: "running", progress: { done: 35, total: 70 }, started_at: "2026-01-02T03:00:00Z", finished_at: null } as unknown as Run;
  const now = Date.parse("2026-01-02T03:01:00Z");
  expect(share(run)).toBe(0.5);
  expect(elapsed(run, now)).toBe(60_000);
  expect(remaining(run, now)).toBe(60_000);
  expect(remaining({ ...run, state: "queued", started_at: null }, now)).toBeNull();
});

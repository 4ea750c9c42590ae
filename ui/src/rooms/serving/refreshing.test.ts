import { expect, test } from "vitest";
import { termsDraft, termsGiven, termsWhole } from "./refreshing";

test("what a policy is set to goes through the form unchanged", () => {
  const terms = {
    every_hours: 36.5, cron: "0 3 * * 1", drift_monitor: "topics", dataset: "dataset/docs", new_rows: 500, feedback: "thumb", new_feedback: 20,
    score: "helpful", score_drop: 0.1, score_low: -1, score_high: 5, first_units: 60, window_days: 3, cooldown_hours: 12, quiet_hours: "22-06",
    max_per_week: 1, patience_hours: 48, on_request: true, dry_run: true,
  };
  expect(termsGiven(termsDraft(terms as never))).toEqual(terms);
});

test("a policy has a condition, and each condition both its halves", () => {
  const draft = termsDraft();
  expect(termsWhole(draft)).toBe(false);
  expect(termsWhole({ ...draft, every: "24" })).toBe(true);
  expect(termsWhole({ ...draft, asked: true })).toBe(true);
  expect(termsWhole({ ...draft, every: "daily" })).toBe(false);
  expect(termsWhole({ ...draft, dataset: "dataset/docs" })).toBe(false);
  expect(termsWhole({ ...draft, dataset: "dataset/docs", rows: "500" })).toBe(true);
  expect(termsWhole({ ...draft, every: "24", judged: "5" })).toBe(false);
});

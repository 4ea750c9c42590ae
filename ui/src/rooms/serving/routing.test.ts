import { expect, test } from "vitest";
import type { Route } from "../../api/types";
import { condition, ruleDraft, termsOf, termsReady, termsSent } from "./routing";

test("what a route is set to goes through the form unchanged", () => {
  const route = {
    rules: [{ when: [{ of: "header", name: "x-team", prefix: "lab" }, { of: "tag", name: "", equals: "draft" }], candidates: ["b"] }],
    waits: { connect_seconds: 1.5, first_token_seconds: null, between_seconds: null, total_seconds: 20 },
    breaking: { failures: 3, rate: 0.25, least: 10, window_seconds: 30, open_seconds: 12.5 },
    retry_budget: 0.125,
    backoff: { base_seconds: 0, most_seconds: 4.5 },
  } as unknown as Route;
  expect(termsSent(termsOf(route), ["a", "b"])).toEqual(route);
});

test("a rule needs a candidate that is there and a name where one belongs; numbers are numbers", () => {
  const draft = termsOf();
  expect(termsReady(draft, ["a"])).toBe(true);
  const rule = { ...ruleDraft(), candidates: ["gone"] };
  expect(termsReady({ ...draft, rules: [rule] }, ["a"])).toBe(false);
  expect(termsReady({ ...draft, rules: [{ ...rule, candidates: ["a"] }] }, ["a"])).toBe(true);
  expect(termsReady({ ...draft, rules: [{ ...rule, candidates: ["a"], when: [condition("header")] }] }, ["a"])).toBe(false);
  expect(termsReady({ ...draft, waits: { ...draft.waits, total_seconds: "soon" } }, ["a"])).toBe(false);
  expect(termsReady({ ...draft, retrying: { ...draft.retrying, retry_budget: "101" } }, ["a"])).toBe(false);
  expect(termsReady({ ...draft, retrying: { ...draft.retrying, base_seconds: "" } }, ["a"])).toBe(false);
  expect(termsReady({ ...draft, breaking: { ...draft.breaking, failures: "" } }, ["a"])).toBe(false);
});

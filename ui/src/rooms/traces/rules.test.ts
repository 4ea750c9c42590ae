import { expect, it } from "vitest";
import { draftOf, emptyMask, emptySample, rulesOf } from "./rules";

const rules = {
  sample: [{ rate: 0.07, environment: "staging", service: "", kind: "" }],
  keep_errors: false,
  keep_slower_ms: 2000,
  mask: [{ fields: ["input", "attributes.http.*"], action: "mask" as const, detectors: ["pii" as const, "terms" as const], kinds: ["email"], terms: ["Project X"] }],
};

it("brings rules into a form and back unchanged", () => {
  expect(rulesOf(draftOf({ ...rules, changed_at: null, changed_by: "" }))).toEqual({ rules });
});

it("says what is wrong before the server has to", () => {
  const draft = draftOf({ ...rules, changed_at: null, changed_by: "" });
  expect(rulesOf({ ...draft, sample: [{ ...emptySample(), rate: "120" }] })).toHaveProperty("wrong");
  expect(rulesOf({ ...draft, keep_slower_ms: "soon" })).toHaveProperty("wrong");
  expect(rulesOf({ ...draft, mask: [{ ...emptyMask(), fields: " " }] })).toHaveProperty("wrong");
  expect(rulesOf({ ...draft, mask: [{ ...emptyMask(), detectors: { pii: false, secrets: false } }] })).toHaveProperty("wrong");
});

import { expect, it } from "vitest";
import { draftOf, pieces, ruleOf, strongest } from "./rules";

it("cuts a text at what was found, by code points", () => {
  const found = pieces("🙂 mail a@b.c now", [{ start: 7, end: 12 }, { start: 7, end: 9 }]);
  expect(found).toEqual([{ text: "🙂 mail " }, { text: "a@b.c", hit: 0 }, { text: " now" }]);
  expect(pieces("", [])).toEqual([]);
});

it("edits a rule and keeps the options that it has no field for", () => {
  const rule = { detector: "terms", on: "input", action: "block", threshold: 0.5, kinds: [], terms: ["a b", "c"], note: { x: 1 } } as never;
  expect(ruleOf(draftOf(rule))).toEqual(rule);
  expect(() => ruleOf({ ...draftOf(rule), more: "{" })).toThrow("no JSON");
  expect(() => ruleOf({ ...draftOf(rule), threshold: "2" })).toThrow("between 0 and 1");
});

it("knows the strongest action", () => {
  expect(strongest([{ action: "log" }, { action: "block" }, { action: "mask" }])).toBe("block");
  expect(strongest([])).toBeUndefined();
});

import { expect, it } from "vitest";
import { numberOf, partsOf, wrongNumber } from "./bounds";

it("says what is wrong with a number as it is typed", () => {
  expect(wrongNumber("", 1, 9)).toBe("A number.");
  expect(wrongNumber(" ", 1, 9, { empty: true })).toBe("");
  expect(wrongNumber("2.5", 1, 9)).toBe("");
  expect(wrongNumber("2.5", 1, 9, { whole: true })).toBe("A whole number.");
  expect(wrongNumber("many", 1, 9)).toBe("A number.");
  expect(wrongNumber("10", 1, 9)).toBe("From 1 to 9.");
  expect(wrongNumber("0", 0, 10_000, { over: true })).toBe("Over 0, at most 10,000.");
});

it("reads what was left out as nothing", () => {
  expect([numberOf(" "), numberOf("0")]).toEqual([null, 0]);
  expect(partsOf(" a \n\nb\n")).toEqual(["a", "b"]);
  expect(partsOf("1, 2 4", /[\s,]+/)).toEqual(["1", "2", "4"]);
});

import { expect, it } from "vitest";
import { levelsOf, sloOf, wrongLevels } from "./loads";

it("reads levels as people type them", () => {
  expect(levelsOf("8, 2 4;2,")).toEqual([2, 4, 8]);
  expect(wrongLevels("", "open")).toBe("Numbers with commas between them.");
  expect(wrongLevels("1, two", "open")).toBe("Numbers with commas between them.");
  expect(wrongLevels("0.5, 20", "open")).toBe("");
  expect(wrongLevels("0.5, 20", "closed")).toBe("Whole numbers from 1 to 1,000.");
  expect(wrongLevels("0", "open")).toBe("Over 0, at most 10,000.");
});

it("writes objectives down as the server takes them", () => {
  expect(sloOf({ ttft: "500", itl: "", e2e: " 5000 " })).toBe("ttft=500,e2e=5000");
  expect(sloOf({ ttft: "", itl: "", e2e: "" })).toBe("");
});

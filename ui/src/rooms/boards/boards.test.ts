import { expect, it } from "vitest";
import type { Panel } from "../../api/types";
import { change, moved, named, shown } from "./boards";

it("says how a figure changed, a share in points", () => {
  expect(change(150, 100, "count")).toBe("+50 %");
  expect(change(50, 100, "count")).toBe("−50 %");
  expect(change(0.08, 0.05, "share")).toBe("+3.0 points");
  expect(change(3, 0, "count")).toBe("from nothing");
  expect(change(536, 1, "count")).toBe("536 times as much");
  expect(change(null, 3, "count")).toBe("");
  expect(change(100, 100.1, "dollars")).toBe("as before");
});

it("names groups and writes figures in their unit", () => {
  expect([named(null, "model"), named("", "model"), named("", ""), named("m", "model")]).toEqual(["the rest", "no model", "all", "m"]);
  expect([shown("share")(0.25), shown("milliseconds")(1500), shown("dollars")(0.5), shown("count")(12.2)]).toEqual(["25.0 %", "1.50 s", "$0.50", "12"]);
});

it("moves a panel within its board", () => {
  const panels = [{ measure: "a" }, { measure: "b" }] as Panel[];
  expect(moved(panels, 0, 1).map((one) => one.measure)).toEqual(["b", "a"]);
  expect(moved(panels, 0, -1)).toBe(panels);
});

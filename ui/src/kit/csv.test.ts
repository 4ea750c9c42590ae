import { expect, it } from "vitest";
import { toCsv } from "./csv";

it("quotes what needs it, and disarms formulas", () => {
  const text = toCsv(["name", "cost"], [["a,b", 0.1], ['say "hi"', -2], ["=SUM(A1)", null], ["-1+2", undefined]]);
  expect(text.split("\r\n")).toEqual(["name,cost", '"a,b",0.1', '"say ""hi""",-2', "'=SUM(A1),", "'-1+2,", ""]);
});

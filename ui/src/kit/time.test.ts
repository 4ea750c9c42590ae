import { expect, it } from "vitest";
import { caption, pieces } from "./time";

it("breaks a line where there is nothing to say", () => {
  expect(pieces([1, 2, 3, 4, 5], [7, null, 8, 9, null])).toEqual([[[1, 7]], [[3, 8], [4, 9]]]);
  expect(pieces([1, 2], [null, null])).toEqual([]);
});

it("writes days on a long axis and the time of day on a short one", () => {
  const at = new Date(2026, 0, 5, 14, 30).getTime();
  expect(caption(at, 86_400_000)).toBe("14:30");
  expect(caption(at, 30 * 86_400_000)).toBe("05 Jan");
});

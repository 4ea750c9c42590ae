import { expect, it } from "vitest";
import { filterOf } from "./filter";

const now = Date.parse("2026-01-02T03:04:05.678Z");

it("turns the address into a query", () => {
  expect(filterOf({ query: "json", status: "error", min_duration_ms: "500", peek: "x", live: "1" }, now)).toEqual({
    query: "json",
    status: "error",
    min_duration_ms: 500,
  });
});

it("asks for the same minute again, so that the cache is hit", () => {
  expect(filterOf({ since: "1h" }, now)).toEqual({ since: "2026-01-02T02:04:00.000Z" });
  expect(filterOf({ since: "nonsense" }, now)).toEqual({});
});

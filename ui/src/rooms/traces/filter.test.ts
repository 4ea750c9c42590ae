import { expect, it } from "vitest";
import { filterOf, searchOf } from "./filter";

const now = Date.parse("2026-01-02T03:04:05.678Z");

it("turns the address into a query", () => {
  expect(filterOf({ query: "json", status: "error", min_duration_ms: "500", score_at_most: "x", peek: "x", live: "1" }, now)).toEqual({
    query: "json",
    status: "error",
    min_duration_ms: 500,
  });
});

it("asks for the same minute again, so that the cache is hit", () => {
  expect(filterOf({ since: "1h" }, now)).toEqual({ since: "2026-01-02T02:04:00.000Z" });
  expect(filterOf({ since: "nonsense", from: "nonsense" }, now)).toEqual({});
});

it("prefers a chosen stretch of time, and repeats what there are several of", () => {
  const query = filterOf({ since: "1h", from: "2026-01-01T00:00:00Z", to: "2026-01-01T01:00:00Z", attribute: "tier=gold\n!error" }, now);
  expect(query).toEqual({ attribute: ["tier=gold", "!error"], since: "2026-01-01T00:00:00.000Z", until: "2026-01-01T01:00:00.000Z" });
  expect(searchOf({ attribute: ["tier=gold", "a&b"], limit: 5 })).toBe("attribute=tier%3Dgold&attribute=a%26b&limit=5");
});

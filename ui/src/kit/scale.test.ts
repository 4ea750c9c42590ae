import { expect, it } from "vitest";
import { nearest, scale, thin, ticks, type Point } from "./scale";

it("maps values to pixels and back", () => {
  const x = scale([2, 10], 0, 100);
  expect(x.at(6)).toBe(50);
  expect(x.invert(50)).toBe(6);
});

it("has a scale for nothing and for a single value", () => {
  expect(scale([], 0, 1).at(0.5)).toBe(0.5);
  expect(scale([3], 0, 1).at(3)).toBe(0.5);
  expect(scale([0, 0], 0, 1).at(0)).toBe(0);
});

it("puts ticks at round numbers", () => {
  expect(ticks(0.87, 2.51, 4)).toEqual([1, 1.5, 2, 2.5]);
  expect(ticks(0, 0.0007, 3)).toEqual([0, 0.0005]);
  expect(ticks(1, 1, 4)).toEqual([]);
});

it("finds the nearest point", () => {
  const points: Point[] = [[0, 5], [10, 6], [20, 7]];
  expect(nearest(points, 14)).toEqual([10, 6]);
  expect(nearest(points, 16)).toEqual([20, 7]);
  expect(nearest(points, -5)).toEqual([0, 5]);
  expect(nearest([], 1)).toBeUndefined();
});

it("keeps the spikes when it thins a line", () => {
  const points = Array.from({ length: 10_000 }, (_, index): Point => [index, index === 4321 ? 99 : index % 7]);
  const kept = thin(points, 400);
  expect(kept.length).toBeLessThanOrEqual(402);
  expect(kept.some((point) => point[1] === 99)).toBe(true);
  expect(kept.map((point) => point[0])).toEqual([...kept.map((point) => point[0])].sort((a, b) => a - b));
});

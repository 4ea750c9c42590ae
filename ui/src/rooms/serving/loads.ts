import type { LoadLevel, LoadTest, RunEvent } from "../../api/types";
import { partsOf } from "../../kit/bounds";

export type Arrivals = "open" | "closed";

/** What a load test has found, whether or not it has ended. */
export type Found = Pick<LoadTest, "levels" | "slo">;

/** The levels that a run has told of in its log, from the least; one that is told twice, after a crash, counts once. */
export function levelsSoFar(logs: readonly RunEvent[]): LoadLevel[] {
  const told = logs.flatMap((event) => (event.body as { level?: LoadLevel }).level ?? []);
  return [...new Map(told.map((level) => [level.load, level])).values()].sort((a, b) => a.load - b.load);
}

/** The unit of a load test's levels. */
export const unitOf = (test: Pick<LoadTest, "levels">) => (test.levels[0]?.arrivals === "closed" ? "clients" : "requests/s");

/** The levels as they are typed, each once, from the least. */
export function levelsOf(text: string): number[] {
  return [...new Set(partsOf(text, /[\s,;]+/).map(Number))].sort((a, b) => a - b);
}

/** What is wrong with the levels as they are typed; empty where nothing is. */
export function wrongLevels(text: string, arrivals: Arrivals): string {
  const levels = levelsOf(text);
  if (levels.length === 0 || levels.some(Number.isNaN)) return "Numbers with commas between them.";
  if (levels.length > 20) return "At most 20 levels.";
  if (arrivals === "closed") return levels.every((one) => Number.isInteger(one) && one >= 1 && one <= 1000) ? "" : "Whole numbers from 1 to 1,000.";
  return levels.every((one) => one > 0 && one <= 10_000) ? "" : "Over 0, at most 10,000.";
}

/** The objectives as the server takes them. */
export function sloOf(typed: Record<"ttft" | "itl" | "e2e", string>): string {
  return (["ttft", "itl", "e2e"] as const)
    .filter((name) => typed[name].trim())
    .map((name) => `${name}=${Number(typed[name])}`)
    .join(",");
}

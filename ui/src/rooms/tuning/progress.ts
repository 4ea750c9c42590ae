import type { Run, RunEvent } from "../../api/types";
import type { Point } from "../../kit/scale";

const FINISHED = new Set(["succeeded", "failed", "cancelled"]);

export function finished(state: string): boolean {
  return FINISHED.has(state);
}

/** How much is done, from 0 to 1. */
export function share(run: Pick<Run, "state" | "progress">): number {
  if (run.state === "succeeded") return 1;
  const { done = 0, total = 0 } = run.progress;
  return total > 0 ? Math.min(1, done / total) : 0;
}

/** Milliseconds from the start to the end, or to now. */
export function elapsed(run: Pick<Run, "started_at" | "finished_at">, now: number): number | null {
  if (!run.started_at) return null;
  return (run.finished_at ? Date.parse(run.finished_at) : now) - Date.parse(run.started_at);
}

/** Milliseconds that are left at the speed so far; null where nothing is known. */
export function remaining(run: Run, now: number): number | null {
  const so_far = elapsed(run, now);
  const part = share(run);
  return run.state === "running" && so_far !== null && part > 0.02 ? (so_far / part) * (1 - part) : null;
}

/**
 * One line for each metric of the progress events, over `done`, losses first. A run that was resumed repeats some steps: the later
 * value of a step replaces the earlier one.
 */
export function metrics(events: readonly RunEvent[]): Map<string, Point[]> {
  const lines = new Map<string, Map<number, number>>();
  for (const event of events) {
    if (event.kind !== "progress") continue;
    const body = event.body as { done?: number; metrics?: Record<string, unknown> };
    for (const [name, value] of Object.entries(body.metrics ?? {})) {
      if (typeof value !== "number" || !Number.isFinite(value)) continue;
      let line = lines.get(name);
      if (!line) lines.set(name, (line = new Map()));
      line.set(body.done ?? event.seq, value);
    }
  }
  const names = [...lines.keys()].sort((a, b) => Number(/loss/.test(b)) - Number(/loss/.test(a)) || a.localeCompare(b));
  return new Map(names.map((name) => [name, [...lines.get(name)!].sort((a, b) => a[0] - b[0]) as Point[]]));
}

/** Add a page of events to those that are there; a page that overlaps adds only what is new. */
export function append(known: RunEvent[], page: readonly RunEvent[]): RunEvent[] {
  const last = known.at(-1)?.seq ?? 0;
  const fresh = page.filter((event) => event.seq > last);
  return fresh.length ? [...known, ...fresh] : known;
}

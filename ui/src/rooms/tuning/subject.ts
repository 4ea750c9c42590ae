import type { Run } from "../../api/types";

/** What a run is about, from the parameters that name things. */
export function subject(run: Run): string {
  const params = run.params as Record<string, unknown>;
  const named = ["name", "dataset", "base", "target", "prompt", "model", "judge", "deployment", "url"].map((key) => params[key]);
  return named.filter((value): value is string => typeof value === "string" && value !== "").join(" · ");
}

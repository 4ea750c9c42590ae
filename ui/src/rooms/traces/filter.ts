/** The filters of the list of traces, as they stand in the address and as the API takes them. */
export const FILTERS = ["query", "status", "model", "deployment", "release", "prompt", "session_id", "user_id", "service", "environment", "min_duration_ms"] as const;

export const SINCE: Record<string, { label: string; ms: number }> = {
  "15m": { label: "last 15 minutes", ms: 900_000 },
  "1h": { label: "last hour", ms: 3_600_000 },
  "24h": { label: "last 24 hours", ms: 86_400_000 },
  "7d": { label: "last 7 days", ms: 604_800_000 },
  "30d": { label: "last 30 days", ms: 2_592_000_000 },
};

/** The query of a request; `since` is rounded to the minute, so that a list keeps its place in the cache meanwhile. */
export function filterOf(url: Record<string, string | undefined>, now: number): Record<string, string | number> {
  const query: Record<string, string | number> = {};
  for (const name of FILTERS) {
    const value = url[name];
    if (value) query[name] = name === "min_duration_ms" ? Number(value) : value;
  }
  const since = SINCE[url.since ?? ""];
  if (since) query.since = new Date(Math.floor((now - since.ms) / 60_000) * 60_000).toISOString();
  return query;
}

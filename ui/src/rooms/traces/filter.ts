/** The filters of the list of traces, as they stand in the address and as the API takes them. */
export const WORDS = ["query", "status", "model", "deployment", "release", "prompt", "session_id", "user_id", "service", "environment", "kind", "name", "score"] as const;
const NUMBERS = ["min_duration_ms", "score_at_most", "score_at_least"] as const;
/** Whatever narrows the list. */
export const FILTERS = [...WORDS, ...NUMBERS, "attribute", "since", "from", "to"] as const;

/** Filters that are set by a name and a value, with their names for people. */
export const NAMED: Record<string, string> = {
  attribute: "Attribute",
  model: "Model",
  deployment: "Deployment",
  release: "Release",
  prompt: "Prompt",
  session_id: "Session",
  user_id: "User",
  service: "Service",
  environment: "Environment",
  kind: "Kind",
  name: "Name",
  score: "Score",
  score_at_most: "Score at most",
  score_at_least: "Score at least",
};

export const SINCE: Record<string, { label: string; ms: number }> = {
  "15m": { label: "last 15 minutes", ms: 900_000 },
  "1h": { label: "last hour", ms: 3_600_000 },
  "24h": { label: "last 24 hours", ms: 86_400_000 },
  "7d": { label: "last 7 days", ms: 604_800_000 },
  "30d": { label: "last 30 days", ms: 2_592_000_000 },
};

export type Query = Record<string, string | number | string[]>;

/** The query of a request; `since` is rounded to the minute, so that a list keeps its place in the cache meanwhile. */
export function filterOf(url: Record<string, string | undefined>, now: number): Query {
  const query: Query = {};
  for (const name of WORDS) {
    const value = url[name];
    if (value) query[name] = value;
  }
  for (const name of NUMBERS) {
    const value = Number(url[name]);
    if (url[name] && Number.isFinite(value)) query[name] = value;
  }
  if (url.attribute) query.attribute = tests(url.attribute);
  const since = SINCE[url.since ?? ""];
  if (since) query.since = new Date(Math.floor((now - since.ms) / 60_000) * 60_000).toISOString();
  // A stretch of time that was chosen goes before a preset one.
  if (moment(url.from)) query.since = moment(url.from)!;
  if (moment(url.to)) query.until = moment(url.to)!;
  return query;
}

/** Tests of attributes stand in the address one a line. */
export function tests(text: string | undefined): string[] {
  return (text ?? "").split("\n").filter(Boolean);
}

function moment(text: string | undefined): string | undefined {
  const at = new Date(text ?? "");
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}

/** A query as the address of a request. */
export function searchOf(query: Query): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) for (const one of Array.isArray(value) ? value : [value]) found.append(name, String(one));
  return found.toString();
}

/** Lines of the list of load tests: those that have ended well, and runs that are to be one or did not become one. */
import { $api } from "../../api/client";
import type { LoadTest, Run } from "../../api/types";
import { paged, PAGES, type Shown } from "../../kit/pages";

export interface Line {
  id: string;
  target: string;
  at: string;
  test?: LoadTest;
  run?: Run;
}

export const STATES = ["running", "failed", "cancelled"] as const;

const POLL = 2_000;
const lineOf = (test: LoadTest): Line => ({ id: test.id, target: test.target, at: test.started_at, test });
const lineOfRun = (run: Run): Line => ({ id: run.id, target: String(run.params.deployment || run.params.url || ""), at: run.created_at, run });

/** The lines of a state, newest first; where it is empty, what is under way and then what has ended well. */
export function useLines(state: string): Shown<Line> {
  const done = $api.useInfiniteQuery("get", "/loadtests", { params: { query: { limit: 100 } } }, { ...PAGES, enabled: state === "", refetchInterval: POLL * 5 });
  const of = (one: Run["state"]) => ({ params: { query: { kind: "loadtest.run", state: one, limit: 100 } } });
  const live = { enabled: state === "" || state === "running", refetchInterval: POLL, retry: false };
  const running = $api.useQuery("get", "/runs", of("running"), live);
  const queued = $api.useQuery("get", "/runs", of("queued"), live);
  const ended = state === "failed" || state === "cancelled";
  const over = $api.useInfiniteQuery("get", "/runs", of(ended ? state : "failed"), { ...PAGES, enabled: ended });
  if (ended) return { ...paged(over), items: over.data?.pages.flatMap((page) => page.items).map(lineOfRun) };
  const going = [...(queued.data?.items ?? []), ...(running.data?.items ?? [])].map(lineOfRun);
  if (state === "running") return { items: running.data && going, error: running.error, retry: running.refetch };
  const finished = done.data?.pages.flatMap((page) => page.items.map(lineOf));
  const known = new Set(finished?.map((one) => one.id));
  return { ...paged(done), items: finished && [...going.filter((one) => !known.has(one.id)), ...finished] };
}

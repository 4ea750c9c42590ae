/** Lines of the list of experiments: those that are there, and runs that are to become one. */
import { $api } from "../../api/client";
import type { Experiment, Run } from "../../api/types";
import { paged, PAGES, type Shown } from "../../kit/pages";

export interface Line {
  id: string;
  name: string;
  target: string;
  prompt: string;
  dataset: string;
  split: string;
  state: string;
  at: string;
  experiment?: Experiment;
  run?: Run;
}

export const STATES = ["finished", "running", "failed", "cancelled"] as const;
export type Narrowed = Record<"dataset" | "target" | "prompt" | "suite" | "name", string>;

const POLL = 2_000;

/** Whether a reference is the wanted one; a name alone wants every version. */
export function fits(ref: string, wanted: string): boolean {
  return !wanted || ref === wanted || (!wanted.includes("@") && ref.startsWith(`${wanted}@`));
}

export function lineOfRun(run: Run): Line {
  const text = (name: string) => (typeof run.params[name] === "string" ? (run.params[name] as string) : "");
  return { id: run.id, name: text("name"), target: text("target"), prompt: text("prompt"), dataset: text("dataset"), split: text("split"), state: run.state, at: run.created_at, run };
}

export function lineOf(experiment: Experiment): Line {
  const { id, name, target, prompt, dataset, split } = experiment;
  return { id, name, target, prompt, dataset, split, state: experiment.stopped ? "stopped" : "finished", at: experiment.created_at, experiment };
}

/** The lines of a state (of every state but failures where it is empty), newest first, what still runs at the top. */
export function useLines(state: string, where: Narrowed): Shown<Line> {
  const wanted = { dataset: where.dataset, target: where.target, prompt: where.prompt, suite: where.suite, name: where.name };
  const done = $api.useInfiniteQuery("get", "/experiments", { params: { query: { ...wanted, limit: 100 } } }, { ...PAGES, enabled: state === "" || state === "finished" });
  const live = (one: Run["state"]) => ({ params: { query: { kind: "experiment.run", state: one, limit: 100 } } });
  const options = { enabled: state === "" || state === "running", refetchInterval: POLL, retry: false };
  const running = $api.useQuery("get", "/runs", live("running"), options);
  const queued = $api.useQuery("get", "/runs", live("queued"), options);
  const ended = state === "failed" || state === "cancelled";
  const failed = $api.useInfiniteQuery("get", "/runs", live(ended ? state : "failed"), { ...PAGES, enabled: ended });
  const kept = (runs: Run[]) =>
    runs.map(lineOfRun).filter((one) => (["dataset", "target", "prompt"] as const).every((field) => fits(one[field], where[field])) && (!where.name || one.name === where.name));
  if (ended) return { ...paged(failed), items: failed.data && kept(failed.data.pages.flatMap((page) => page.items)) };
  const going = kept([...(queued.data?.items ?? []), ...(running.data?.items ?? [])]);
  if (state === "running") return { items: running.data && going, error: running.error, retry: running.refetch };
  const finished = done.data?.pages.flatMap((page) => page.items.map(lineOf));
  const known = new Set(finished?.map((one) => one.id));
  return { ...paged(done), items: finished && [...(state ? [] : going.filter((one) => !known.has(one.id))), ...finished] };
}

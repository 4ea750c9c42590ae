import { Link, useParams } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { $api, api } from "../../api/client";
import type { Run, RunEvent } from "../../api/types";
import { Bar, Blank, Card, Id, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { LineChart } from "../../kit/chart";
import { count, duration, figure, headed } from "../../kit/format";
import { Icon } from "../../kit/icons";
import { useOutcome } from "../../kit/outcome";
import { Page, Show } from "../../kit/page";
import { thin } from "../../kit/scale";
import { may, useWho } from "../../shell/session";
import { Facts } from "../../kit/Facts";
import { append, elapsed, finished, metrics, remaining, share } from "./progress";

const POLL = 1_000;

/** One run: what it does now, its metrics as they come, its log, and its result. */
export function RunPage() {
  const { runId } = useParams({ strict: false }) as { runId: string };
  const query = $api.useQuery(
    "get",
    "/runs/{run_id}",
    { params: { path: { run_id: runId } } },
    { refetchInterval: (q) => (q.state.data && finished(q.state.data.state) ? false : POLL) },
  );
  return (
    <Page
      title={query.data?.kind ?? "Run"}
      crumbs={[{ label: "Runs", to: "/runs" }]}
      badge={
        <>
          {query.data && <Status state={query.data.state} />}
          <Id value={runId} length={13} />
        </>
      }
      actions={
        query.data && (
          <>
            {query.data.kind === "redteam.run" && query.data.state === "succeeded" && (
              <Link className="btn" to={`/redteam/${runId}`}>
                <Icon name="guard" size={14} /> What came through
              </Link>
            )}
            {query.data.kind === "issue.find" && query.data.state === "succeeded" && (
              <Link className="btn" to="/areas">
                <Icon name="up" size={14} /> Improvement areas
              </Link>
            )}
            {query.data.kind === "experiment.run" && (
              <Link className="btn" to={`/experiments/${runId}`}>
                <Icon name="experiment" size={14} /> Experiment
              </Link>
            )}
            <Actions run={query.data} />
          </>
        )
      }
    >
      <Show query={query}>{(run) => <Body run={run} />}</Show>
    </Page>
  );
}

function Actions({ run }: { run: Run }) {
  const outcome = useOutcome();
  const who = useWho();
  const cancel = $api.useMutation("post", "/runs/{run_id}/cancel", outcome("The run is asked to stop."));
  const resume = $api.useMutation("post", "/runs/{run_id}/resume", outcome("The run is queued again."));
  const call = { params: { path: { run_id: run.id } } };
  if (!may(who.data, "run.write") && !may(who.data, "run.cancel")) return null;
  if (run.state === "queued" || run.state === "running")
    return (
      <button type="button" className="btn" disabled={cancel.isPending} onClick={() => cancel.mutate(call)}>
        <Icon name="cross" size={14} /> Stop
      </button>
    );
  if (run.state === "failed" || run.state === "cancelled")
    return (
      <button type="button" className="btn primary" disabled={resume.isPending} onClick={() => resume.mutate(call)}>
        <Icon name="run" size={14} /> Resume
      </button>
    );
  return null;
}

/** The events of a run, fetched page by page and then followed while it is under way. */
function useEvents(run: Run): RunEvent[] {
  const [events, setEvents] = useState<RunEvent[]>([]);
  const after = useRef(0);
  const over = finished(run.state);
  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async () => {
      try {
        const { data } = await api.GET("/runs/{run_id}/logs", { params: { path: { run_id: run.id }, query: { after: after.current, limit: 1000 } } });
        if (stopped) return;
        const page = data ?? [];
        setEvents((known) => append(known, page));
        after.current = page.at(-1)?.seq ?? after.current;
        if (page.length === 1000) return void poll();
      } catch {
        // The page shows the run's own error; the log is asked for again.
      }
      if (!stopped && !over) timer = setTimeout(() => void poll(), POLL);
    };
    void poll();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [run.id, over]);
  return events;
}

function Body({ run }: { run: Run }) {
  const events = useEvents(run);
  const lines = useMemo(() => metrics(events), [events]);
  const logs = events.filter((event) => event.kind === "log");
  const left = remaining(run, Date.now());
  const latest = [...lines].map(([name, points]): [string, number] => [name, points.at(-1)![1]]);
  return (
    <div className="stack">
      {run.error && (
        <p className="notice error" role="alert">
          <Icon name="warn" />
          <span>
            {String(run.error.message)} {run.error.hint ? <span className="dim">{String(run.error.hint)}</span> : null}
          </span>
        </p>
      )}
      {!finished(run.state) && (
        <div className="stack tight">
          <div className="row">
            <span className="grow">{run.progress.message || "Waiting for the worker"}</span>
            <span className="num dim">
              {run.progress.total ? `${count(run.progress.done)} of ${count(run.progress.total)}` : ""}
              {left !== null && ` · about ${duration(left)} left`}
            </span>
          </div>
          <Bar share={share(run)} label="Progress" />
        </div>
      )}
      <Stats
        items={[
          { label: "Started", value: <Time at={run.started_at} /> },
          { label: finished(run.state) ? "Took" : "Runs for", value: duration(elapsed(run, Date.now())) },
          ...latest.slice(0, 4).map(([name, value]) => ({ label: headed(name), value: figure(value) })),
          { label: "Attempt", value: count(run.attempt) },
        ]}
      />
      <div className="columns">
        <div className="stack">
          <Charts lines={lines} />
          <Card title="Log" flush>
            {logs.length ? <Log events={logs} follow={!finished(run.state)} /> : <Blank small icon="clock" title="Nothing logged yet" />}
          </Card>
        </div>
        <div className="stack">
          {run.result != null && (
            <Card title="Result">
              <Facts value={run.result} />
            </Card>
          )}
          <Card title="Parameters">
            <Facts value={run.params} />
          </Card>
          <Card title="Run">
            <KeyValues
              items={[
                ["Kind", run.kind],
                ["Created", <Time key="c" at={run.created_at} />],
                ["By", run.created_by],
                ["Id", <Id key="i" value={run.id} full />],
              ]}
            />
          </Card>
        </div>
      </div>
    </div>
  );
}

function Charts({ lines }: { lines: ReturnType<typeof metrics> }) {
  const shown = [...lines].filter(([, points]) => points.length > 1);
  const losses = shown.filter(([name]) => /loss/.test(name));
  const others = shown.filter(([name]) => !/loss/.test(name));
  return (
    <>
      {losses.length > 0 && (
        <Card title="Loss">
          <LineChart label="Loss by step" series={losses.map(([name, points]) => ({ name, points: thin(points, 800) }))} height={260} />
        </Card>
      )}
      {others.map(([name, points]) => (
        <Card key={name} title={headed(name)}>
          <LineChart label={`${name} by step`} series={[{ name, points: thin(points, 800) }]} height={150} />
        </Card>
      ))}
    </>
  );
}

function Log({ events, follow }: { events: RunEvent[]; follow: boolean }) {
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = end.current?.parentElement;
    if (follow && box && box.scrollHeight - box.scrollTop - box.clientHeight < 120) box.scrollTop = box.scrollHeight;
  }, [events, follow]);
  return (
    <div className="log" tabIndex={0} role="log" aria-label="Log">
      {events.slice(-2000).map((event) => (
        <div key={event.seq}>
          <time>{new Date(event.at).toLocaleTimeString("en-GB")}</time>
          <span>{String((event.body as { text?: string }).text ?? "")}</span>
        </div>
      ))}
      <div ref={end} />
    </div>
  );
}

import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { $api } from "../../api/client";
import type { Run } from "../../api/types";
import { Bar, Blank, Card, Id, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { LineChart } from "../../kit/chart";
import { count, duration, figure, headed } from "../../kit/format";
import { Icon } from "../../kit/icons";
import { Page, Show } from "../../kit/page";
import { thin } from "../../kit/scale";
import { Facts } from "../../kit/Facts";
import { elapsed, finished, metrics, remaining, share } from "./progress";
import { RunActions } from "./RunActions";
import { RunLog, useEvents } from "./RunLog";

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
            {query.data.kind === "loadtest.run" && (
              <Link className="btn" to={`/loadtests/${runId}`}>
                <Icon name="run" size={14} /> Load test
              </Link>
            )}
            {query.data.kind === "scorer.calibrate" && query.data.state === "succeeded" && (
              <Link className="btn" to={`/scorers/${judgeOf(query.data)}`}>
                <Icon name="check" size={14} /> Calibration
              </Link>
            )}
            {query.data.kind === "experiment.run" && (
              <Link className="btn" to={`/experiments/${runId}`}>
                <Icon name="experiment" size={14} /> Experiment
              </Link>
            )}
            <RunActions run={query.data} />
          </>
        )
      }
    >
      <Show query={query}>{(run) => <Body run={run} />}</Show>
    </Page>
  );
}

/** The name of the judge that a run calibrates. */
const judgeOf = (run: Run) => String(run.params.judge ?? "").replace(/^judge\//, "").split("@")[0];

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
            {logs.length ? <RunLog events={logs} follow={!finished(run.state)} /> : <Blank small icon="clock" title="Nothing logged yet" />}
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

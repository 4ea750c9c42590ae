import { useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { $api, ApiError } from "../../api/client";
import type { LoadDifference, LoadLevel, LoadTest } from "../../api/types";
import { Blank, Card, Id, KeyValues, Status, Time } from "../../kit/basics";
import { IntervalMark, LineChart, type Series } from "../../kit/chart";
import { count, duration, figure, headed, percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { Page, Show } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { RunActions } from "../tuning/RunActions";
import { UnderWay, useRun } from "../tuning/UnderWay";
import { levelsSoFar, unitOf, type Found } from "./loads";

/** One load test: while it runs how far it is, then its curves over the load, each level in figures, and another beside it. */
export function LoadTestPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const query = $api.useQuery("get", "/loadtests/{run_id}", { params: { path: { run_id: id } } }, { retry: false });
  // A load test comes to be at the end of its run; until then the run is what there is to see.
  const pending = query.error instanceof ApiError && query.error.status === 409;
  const run = useRun(id, pending);
  useEffect(() => {
    if (pending && run.data?.state === "succeeded") void query.refetch();
  }, [pending, run.data?.state, query]);
  const target = query.data?.target ?? run.data?.params.deployment ?? "";
  return (
    <Page
      title={String(target || "Load test")}
      crumbs={[{ label: "Load tests", to: "/loadtests" }]}
      badge={
        <>
          {pending && run.data && <Status state={run.data.state} />}
          <Id value={id} length={13} />
        </>
      }
      actions={pending && run.data && <RunActions run={run.data} />}
    >
      {pending ? (
        <Show query={run}>{(one) => <UnderWay run={one} wordless found={(logs) => <SoFar levels={levelsSoFar(logs)} slo={(one.params.slo ?? {}) as Found["slo"]} />} />}</Show>
      ) : (
        <Show query={query}>{(test) => <Body test={test} />}</Show>
      )}
    </Page>
  );
}

/** The levels that are done, drawn and in figures, while others are still to come or will not come. */
function SoFar(test: Found) {
  return (
    test.levels.length > 0 && (
      <>
        <Curves test={test} />
        <Levels test={test} />
      </>
    )
  );
}

/** Time and throughput over the load; of the test beside it in broken lines. */
function Curves({ test, before }: { test: Found; before?: Found }) {
  const unit = unitOf(test);
  return (
    <>
      <Card title="Time over load">
        <LineChart label={`Time by ${unit}`} x={unit} zero format={duration} series={[...spread(test), ...(before ? spread(before, "there: ") : [])]} />
      </Card>
      <Card title="Throughput over load">
        <LineChart label={`Answered requests a second by ${unit}`} x={unit} zero series={[...throughput(test), ...(before ? throughput(before, "there: ") : [])]} />
      </Card>
    </>
  );
}

function Body({ test }: { test: LoadTest }) {
  const [url] = useUrl();
  const other = $api.useQuery("get", "/loadtests/{run_id}", { params: { path: { run_id: url.baseline ?? "" } } }, { enabled: Boolean(url.baseline) });
  // Clients and requests a second are no common axis.
  const before = other.data && unitOf(other.data) === unitOf(test) ? other.data : undefined;
  const unit = unitOf(test);
  const objectives = Object.entries(test.slo).map(([name, limit]) => `${name} ${duration(limit)}`);
  return (
    <div className="columns">
      <div className="stack">
        <Curves test={test} before={before} />
        <Levels test={test} />
        <Beside test={test} />
      </div>
      <div className="stack">
        <Card title="Test">
          <KeyValues
            items={[
              ["Target", test.target],
              ["Release", test.release ? <RefLink key="r" value={test.release} /> : <span className="faint">not known</span>],
              ["Knee", test.knee === null ? <span className="faint">takes three levels</span> : `${figure(test.knee)} ${unit}`],
              ["Sustained", test.sustained === null ? <span className="faint">none</span> : `${figure(test.sustained)} ${unit}`],
              ["Objectives", objectives.join(", ") || <span className="faint">none</span>],
              ["Prompts", count(test.prompts)],
              ["Longest answer", `${count(test.max_tokens)} tokens`],
              ["Started", <Time key="t" at={test.started_at} />],
            ]}
          />
        </Card>
      </div>
    </div>
  );
}

/** Answered requests, and those that met the objectives where there are any; of the test beside it in broken lines. */
function throughput(test: Found, before = ""): Series[] {
  const line = (name: string, tone: number, of: (level: LoadLevel) => number): Series => ({ name: `${before}${name}`, tone, before: before !== "", points: test.levels.map((one) => [one.load, of(one)]) });
  return [line("answered requests/s", 1, (one) => one.requests_per_second), ...(Object.keys(test.slo).length ? [line("within the objectives", 2, (one) => one.goodput)] : [])];
}

function spread(test: Found, before = ""): Series[] {
  const line = (name: string, tone: number, of: (level: LoadLevel) => number | undefined): Series => ({
    name: `${before}${name}`,
    tone,
    before: before !== "",
    points: test.levels.flatMap((one) => {
      const value = of(one);
      return value === undefined ? [] : [[one.load, value] as const];
    }),
  });
  return [
    line("to the last token, p50", 1, (one) => one.e2e?.p50.value),
    line("to the last token, p95", 2, (one) => one.e2e?.p95.value),
    line("to the first token, p95", 3, (one) => one.ttft?.p95.value),
  ].filter((series) => series.points.length > 0);
}

function Levels({ test }: { test: Found }) {
  const time = (of: LoadLevel["ttft"], name: "p50" | "p95" | "p99") => {
    if (!of) return "–";
    const { value, low, high } = of[name];
    return <span title={low === null || high === null ? "too few requests for an interval" : `between ${duration(low)} and ${duration(high)}`}>{duration(value)}</span>;
  };
  return (
    <Card title="Levels" flush>
      <Table<LoadLevel>
        label="Levels"
        items={test.levels}
        id={(one) => String(one.load)}
        columns={[
          { key: "load", label: headed(unitOf(test)), numeric: true, cell: (one) => figure(one.load) },
          { key: "answered", label: "Answered", numeric: true, cell: (one) => `${count(one.answered)} of ${count(one.requests)}` },
          { key: "errors", label: "Errors", cell: (one) => Object.entries(one.errors).map(([what, n]) => `${count(n)} × ${what}`).join(", ") || "–" },
          { key: "ttft", label: "First token p50", numeric: true, cell: (one) => time(one.ttft, "p50") },
          { key: "ttft95", label: "p95", numeric: true, cell: (one) => time(one.ttft, "p95") },
          { key: "itl", label: "Between p95", numeric: true, cell: (one) => time(one.itl, "p95") },
          { key: "e2e", label: "Last token p50", numeric: true, cell: (one) => time(one.e2e, "p50") },
          { key: "e2e95", label: "p95", numeric: true, cell: (one) => time(one.e2e, "p95") },
          { key: "e2e99", label: "p99", numeric: true, cell: (one) => time(one.e2e, "p99") },
          { key: "tokens", label: "Tokens/s", numeric: true, cell: (one) => figure(one.tokens_per_second) },
          { key: "met", label: "Met", numeric: true, cell: (one) => <span title={`between ${percent(one.met_low)} and ${percent(one.met_high)}`}>{percent(one.met, 0)}</span> },
        ]}
      />
    </Card>
  );
}

function Beside({ test }: { test: LoadTest }) {
  const [url, setUrl] = useUrl();
  const known = $api.useQuery("get", "/loadtests", { params: { query: { limit: 50 } } });
  const others = known.data?.items.filter((one) => one.id !== test.id) ?? [];
  const chosen = url.baseline ?? "";
  return (
    <Card
      title="Beside another"
      flush
      actions={
        others.length > 0 && (
          <select className="select" aria-label="Load test to compare with" value={chosen} onChange={(event) => setUrl({ baseline: event.target.value || undefined }, true)}>
            <option value="">Compare with…</option>
            {others.map((one) => (
              <option key={one.id} value={one.id}>{`${one.target} ${one.release.replace(/^release\//, "")} · ${one.id.slice(0, 13)}`}</option>
            ))}
          </select>
        )
      }
    >
      {chosen ? <Differences id={test.id} baseline={chosen} /> : <Blank small icon="run" title={others.length ? "Choose a load test to compare with" : "There is no other load test yet"} />}
    </Card>
  );
}

const TONES = { faster: "better", slower: "worse", "no difference shown": "unset" } as const;

function Differences({ id, baseline }: { id: string; baseline: string }) {
  const query = $api.useQuery("get", "/loadtests/{run_id}/compare/{baseline}", { params: { path: { run_id: id, baseline } } });
  const more = (ratio: number) => `${ratio > 1 ? "+" : ""}${percent(ratio - 1)}`;
  return (
    <Show query={query} lines={4}>
      {(found) => {
        const most = Math.max(0.05, ...found.differences.flatMap((one) => [Math.abs(1 - one.low), Math.abs(1 - one.high)]));
        return (
          <>
            <Table<LoadDifference>
              label="Differences"
              items={found.differences}
              id={(one) => `${one.load} ${one.time} ${one.quantile}`}
              columns={[
                { key: "load", label: "Load", numeric: true, cell: (one) => figure(one.load) },
                { key: "what", label: "Time", cell: (one) => `${one.time} ${one.quantile}` },
                { key: "before", label: "There", numeric: true, cell: (one) => duration(one.baseline) },
                { key: "now", label: "Here", numeric: true, cell: (one) => duration(one.candidate) },
                { key: "ratio", label: "Difference", numeric: true, cell: (one) => more(one.ratio) },
                { key: "mark", label: "Faster is right", cell: (one) => <IntervalMark value={1 - one.ratio} low={1 - one.high} high={1 - one.low} min={-most} max={most} /> },
                { key: "verdict", label: "Verdict", cell: (one) => <Status state={TONES[one.verdict]} label={one.verdict} /> },
              ]}
            />
            {found.unmatched.length > 0 && <p className="dim inner">{found.unmatched.join("; ")}</p>}
          </>
        );
      }}
    </Show>
  );
}

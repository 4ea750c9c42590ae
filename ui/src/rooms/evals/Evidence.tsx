import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { $api } from "../../api/client";
import type { MetricComparison } from "../../api/types";
import { Blank, Card, Status } from "../../kit/basics";
import { IntervalMark } from "../../kit/chart";
import { count, figure, signed } from "../../kit/format";
import { Table } from "../../kit/list";
import { Show } from "../../kit/page";

/** One metric of the gate's evidence: a paired comparison, and which experiments it is of. */
export interface Piece extends MetricComparison {
  dataset: string;
  split: string;
  constrained: boolean;
  candidate_experiment: string;
  baseline_experiment: string;
  baseline_target: string;
  baseline_prompt: string;
}

/** What the gate compared: for each metric, the release against the baseline that is best at it. */
export function Evidence({ pieces }: { pieces: readonly Piece[] }) {
  const groups = new Map<string, Piece[]>();
  for (const piece of pieces) {
    const name = `${piece.dataset} ${piece.split}, ${piece.constrained ? "held to the schema" : "free answers"}`;
    groups.set(name, [...(groups.get(name) ?? []), piece]);
  }
  if (groups.size === 0)
    return (
      <Card title="Evidence">
        <Blank small icon="experiment" title="Nothing was compared" text="Run the same rows through the release's model and through a baseline." />
      </Card>
    );
  return [...groups].map(([name, group]) => (
    <Card key={name} title="Evidence" label={`Evidence on ${name}`} flush actions={<span className="dim">{name}</span>}>
      <Metrics<Piece>
        metrics={group}
        against={(piece) => (
          <Link className="link" to={`/experiments/${piece.candidate_experiment}`} search={{ tab: "Compare", baseline: piece.baseline_experiment } as never}>
            {bare(piece.baseline_target)} {bare(piece.baseline_prompt)}
          </Link>
        )}
      />
    </Card>
  ));
}

const bare = (ref: string) => ref.replace(/^[a-z]+\//, "");

export function Compared({ candidate, baseline }: { candidate: string; baseline: string }) {
  const query = $api.useQuery("get", "/experiments/compare", { params: { query: { baseline, candidate } } }, { retry: false });
  const names = useNames([candidate, baseline]);
  return (
    <Card
      title="Evidence"
      flush
      actions={
        <span className="dim">
          <Link className="link" to={`/experiments/${candidate}`}>{names[0]}</Link> against <Link className="link" to={`/experiments/${baseline}`}>{names[1]}</Link>
        </span>
      }
    >
      <Show query={query} lines={4}>
        {(comparison) => (
          <>
            <Metrics metrics={comparison.metrics} />
            {comparison.unpaired > 0 && <p className="faint left-out">{count(comparison.unpaired)} rows that only one side has are left out.</p>}
          </>
        )}
      </Show>
    </Card>
  );
}

function useNames(ids: [string, string]): [string, string] {
  const left = $api.useQuery("get", "/experiments/{id}", { params: { path: { id: ids[0] } } });
  const right = $api.useQuery("get", "/experiments/{id}", { params: { path: { id: ids[1] } } });
  return [left.data?.name || ids[0].slice(0, 13), right.data?.name || ids[1].slice(0, 13)];
}

function Metrics<T extends MetricComparison>({ metrics, against }: { metrics: readonly T[]; against?: (metric: T) => ReactNode }) {
  return (
    <Table<T>
      label="Paired differences by metric"
      items={[...metrics]}
      id={(m) => m.metric}
      columns={[
        { key: "metric", label: "Metric", cell: (m) => <Named metric={m} /> },
        ...(against ? [{ key: "against", label: "Best baseline", cell: against }] : []),
        { key: "base", label: "Baseline", numeric: true, cell: (m) => figure(m.baseline) },
        { key: "cand", label: "Candidate", numeric: true, cell: (m) => <b>{figure(m.candidate)}</b> },
        { key: "diff", label: "Difference", numeric: true, cell: (m) => difference(m) },
        {
          key: "interval",
          label: "95 % interval",
          cell: (m) => (m.low == null || m.high == null ? <span className="faint">none</span> : <Forest metric={m} />),
        },
        { key: "n", label: "Rows", numeric: true, cell: (m) => count(m.n) },
        { key: "p", label: "p", numeric: true, cell: (m) => <span title={m.test}>{m.p_adjusted < 0.001 ? "< 0.001" : figure(m.p_adjusted)}</span> },
        { key: "verdict", label: "Verdict", cell: (m) => <Status state={m.verdict === "better" || m.verdict === "worse" ? m.verdict : "unset"} label={m.verdict} /> },
      ]}
    />
  );
}

/** A metric's name, with its unit where that is not plain, and the verdict's sentence on hover. */
function Named({ metric }: { metric: MetricComparison }) {
  return (
    <span title={metric.sentence}>
      {metric.metric} {metric.unit === "ms" && <span className="faint">ms</span>}
    </span>
  );
}

function difference(metric: MetricComparison): string {
  const size = Math.abs(metric.difference);
  if (size >= 100) return `${metric.difference > 0 ? "+" : ""}${figure(metric.difference)}`;
  return signed(metric.difference, size < 1 ? 3 : 1);
}

/** The interval on a scale of its own that holds zero, with "better" always to the right. */
function Forest({ metric }: { metric: MetricComparison }) {
  const turn = metric.higher_is_better ? 1 : -1;
  const ends = [turn * metric.low!, turn * metric.high!].sort((a, b) => a - b) as [number, number];
  const reach = Math.max(Math.abs(ends[0]), Math.abs(ends[1])) * 1.1 || 1;
  return (
    <span className="row">
      <IntervalMark value={turn * metric.difference} low={ends[0]} high={ends[1]} min={-reach} max={reach} />
      <span className="num faint" style={{ whiteSpace: "nowrap" }}>
        {figure(metric.low)} to {figure(metric.high)}
      </span>
    </span>
  );
}

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { MetricComparison } from "../../api/types";
import { Blank, Card } from "../../kit/basics";
import { count, figure } from "../../kit/format";
import { Table } from "../../kit/list";
import { amount, bare, change } from "./figures";
import { Forest, Verdict } from "./Versus";

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
          <Link className="link" to="/experiments/compare" search={{ ids: `${piece.baseline_experiment},${piece.candidate_experiment}` } as never}>
            {bare(piece.baseline_target)} {bare(piece.baseline_prompt)}
          </Link>
        )}
      />
    </Card>
  ));
}

function Metrics<T extends MetricComparison>({ metrics, against }: { metrics: readonly T[]; against?: (metric: T) => ReactNode }) {
  return (
    <Table<T>
      label="Paired differences by metric"
      items={[...metrics]}
      id={(m) => m.metric}
      columns={[
        { key: "metric", label: "Metric", cell: (m) => m.metric },
        ...(against ? [{ key: "against", label: "Best baseline", cell: against }] : []),
        { key: "base", label: "Baseline", numeric: true, cell: (m) => amount(m.baseline, m.unit) },
        { key: "cand", label: "Candidate", numeric: true, cell: (m) => <b>{amount(m.candidate, m.unit)}</b> },
        { key: "diff", label: "Difference", numeric: true, cell: (m) => change(m.difference, m.unit) },
        { key: "interval", label: "95 % interval", cell: (m) => <Forest metric={m} /> },
        { key: "n", label: "Rows", numeric: true, cell: (m) => count(m.n) },
        { key: "p", label: "p", numeric: true, cell: (m) => <span title={m.test}>{m.p_adjusted < 0.001 ? "< 0.001" : figure(m.p_adjusted)}</span> },
        { key: "verdict", label: "Verdict", cell: (m) => <Verdict metric={m} /> },
      ]}
    />
  );
}

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Evaluator } from "../../api/types";
import { Blank, Status } from "../../kit/basics";
import { Choose, Filters, holds, Words } from "../../kit/filters";
import { count, money, percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { EvaluatorForm } from "./EvaluatorForm";

const EXAMPLE = `mainspring evaluator create helpful judge:helpful --rate 0.05 \\
  --max-cost-per-day 2 --choice '{"target": "docs"}'
mainspring evaluator backfill helpful --limit 200`;

export const stateOf = (one: Evaluator) => (!one.enabled ? "paused" : one.counts.failed ? "warning" : one.waits ? "due" : "active");
const LABELS: Record<string, string> = { paused: "off", warning: "failures", due: "waits", active: "on" };

export function EvaluatorState({ evaluator }: { evaluator: Evaluator }) {
  const state = stateOf(evaluator);
  return <Status state={state} label={LABELS[state]} />;
}

const number = (key: keyof Evaluator["counts"], label: string): Column<Evaluator> => ({ key, label, width: "88px", numeric: true, cell: (one) => <span className="num">{count(one.counts[key])}</span> });

const COLUMNS: Column<Evaluator>[] = [
  { key: "state", label: "State", width: "104px", cell: (one) => <EvaluatorState evaluator={one} /> },
  { key: "name", label: "Evaluator", width: "minmax(140px,1fr)", cell: (one) => one.name },
  { key: "metric", label: "Scorer", width: "minmax(140px,1fr)", cell: (one) => <span className="mono dim">{one.metric}</span> },
  { key: "target", label: "Calls of", width: "minmax(120px,1fr)", cell: (one) => <span className="dim">{one.choice.target || "all traffic"}{one.choice.environment && ` in ${one.choice.environment}`}</span> },
  { key: "rate", label: "Share", width: "72px", numeric: true, cell: (one) => <span className="num">{percent(one.rate, one.rate < 0.01 ? 2 : 0)}</span> },
  number("done", "Scored"),
  number("pending", "Waiting"),
  number("inapplicable", "No score"),
  number("failed", "Failed"),
  { key: "spent", label: "Spent today", width: "96px", numeric: true, cell: (one) => <span className="num">{money(one.spent_today)}</span> },
];

/** Scorers over a sample of live calls. */
export function EvaluatorList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const [making, setMaking] = useState(false);
  const query = $api.useInfiniteQuery("get", "/evaluators", { params: { query: { limit: 100 } } }, { ...PAGES, refetchInterval: 10_000 });
  return (
    <Page
      title="Evaluators"
      flush
      actions={<Primary may={may(who.data, "evaluator.write")} go={() => setMaking(true)}>Create an evaluator</Primary>}
    >
      <Filters>
        <Words placeholder="Name, scorer or target" />
        <Choose name="state" label="State" any="Any state" choices={Object.entries(LABELS).map(([value, label]) => ({ value, label }))} />
      </Filters>
      <List
        label="Evaluators"
        noun="evaluator"
        {...paged(query, (one) => holds(url.q, one.name, one.metric, one.choice.target) && (!url.state || stateOf(one) === url.state))}
        columns={COLUMNS}
        id={(one) => one.name}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        open={(one) => void navigate({ to: `/evaluators/${one.name}` })}
        blank={<Blank icon="evaluator" narrowed={Boolean(url.q || url.state) && "No evaluator matches"} title="No evaluators yet" text="An evaluator scores a share of the live calls as they come, with any scorer that needs no right answer." code={EXAMPLE} />}
      />
      {making && <EvaluatorForm close={() => setMaking(false)} done={(name) => void navigate({ to: `/evaluators/${name}` })} />}
    </Page>
  );
}

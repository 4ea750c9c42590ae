import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { $api, ApiError } from "../../api/client";
import type { Experiment, Figure, Run } from "../../api/types";
import { Card, Id, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { IntervalMark } from "../../kit/chart";
import { Facts } from "../../kit/Facts";
import { count, duration, money, plural } from "../../kit/format";
import { Icon } from "../../kit/icons";
import { Table } from "../../kit/list";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { RefLink } from "../../shell/RefLink";
import { elapsed } from "../tuning/progress";
import { RunActions } from "../tuning/RunActions";
import { UnderWay, useRun } from "../tuning/UnderWay";
import { amount, inWords, isSpeed, nameOf, ordered, span } from "./figures";
import { People } from "./People";
import { Rows } from "./Rows";

const TABS = ["Figures", "Rows"] as const;

/** One experiment: its figures with their intervals, its rows, and while it runs how far it is. */
export function ExperimentPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const tab = useTab(TABS);
  const query = $api.useQuery("get", "/experiments/{id}", { params: { path: { id } } });
  // An experiment comes to be at the end of its run; until then the run is what there is to see.
  const pending = query.error instanceof ApiError && query.error.status === 409;
  const run = useRun(query.data?.id ?? id, pending || Boolean(query.data?.calls || query.data?.reused));
  useEffect(() => {
    if (pending && run.data?.state === "succeeded") void query.refetch();
  }, [pending, run.data?.state, query]);
  const experiment = query.data;
  return (
    <Page
      title={experiment ? nameOf(experiment) : String(run.data?.params.name || "Experiment")}
      crumbs={[{ label: "Experiments", to: "/experiments" }]}
      badge={
        <>
          {experiment ? <State experiment={experiment} run={run.data} /> : run.data && <Status state={run.data.state} />}
          <Id value={experiment?.id ?? id} length={13} />
        </>
      }
      actions={experiment ? <CompareWith experiment={experiment} /> : run.data && <RunActions run={run.data} />}
      tabs={experiment && <Tabs tabs={TABS} label="Parts of the experiment" current={tab} />}
      flush={Boolean(experiment) && tab === "Rows"}
    >
      {pending ? (
        <Show query={run}>{(found) => <UnderWay run={found} />}</Show>
      ) : (
        <Show query={query}>{(found) => (tab === "Rows" ? <Rows experiment={found} /> : <Figures experiment={found} run={run.data} />)}</Show>
      )}
    </Page>
  );
}

function State({ experiment, run }: { experiment: Experiment; run?: Run }) {
  if (run?.state === "failed") return <Status state="failed" label={run.error?.code === "gate_failed" ? "worse than its baseline" : "failed"} />;
  if (experiment.stopped) return <Status state="paused" label="stopped early" />;
  return <Status state="succeeded" label="finished" />;
}

function Figures({ experiment, run }: { experiment: Experiment; run?: Run }) {
  const repeats = Number(experiment.settings.repeats ?? 1);
  return (
    <div className="stack">
      {run?.state === "failed" && run.error && <Notice tone="error" text={`${String(run.error.message)} ${String(run.error.hint ?? "")}`} />}
      {experiment.stopped && <Notice tone="warn" text={`${experiment.stopped} The figures are of the ${plural(experiment.rows, "answer")} that there are.`} />}
      <Stats
        items={[
          { label: "Answers", value: count(experiment.rows), note: repeats > 1 ? `${repeats} to each row` : experiment.split || "every split" },
          { label: "Without an answer", value: count(experiment.errors), note: experiment.errors ? "scored as empty" : undefined },
          { label: "Calls", value: count(experiment.calls), note: experiment.reused ? `${count(experiment.reused)} answers reused` : undefined },
          { label: "Cost", value: money(experiment.cost), note: run?.params.max_cost ? `of at most ${money(Number(run.params.max_cost))}` : undefined },
          { label: "Took", value: run ? duration(elapsed(run, Date.now())) : "–" },
          { label: "Made", value: <Time at={experiment.created_at} /> },
        ]}
      />
      <div className="columns wide">
        <div className="stack">
          <Card title="Figures" flush>
            <Table<Figure>
              label="Figures"
              items={ordered(experiment.figures)}
              id={(one) => one.metric}
              columns={[
                { key: "metric", label: "Metric", cell: (one) => one.metric },
                { key: "value", label: "Value", numeric: true, cell: (one) => <b>{amount(one.value, one.unit)}</b> },
                { key: "interval", label: "Interval", cell: (one) => <Range figure={one} /> },
                { key: "words", label: "How", cell: (one) => <div className="told dim">{inWords(one)}</div> },
              ]}
            />
          </Card>
          <People experiment={experiment.id} />
        </div>
        <div className="stack">
          <Card title="What was asked">
            <KeyValues
              items={[
                ["Target", experiment.target ? <RefLink key="t" value={experiment.target} /> : <span className="faint">not said</span>],
                ["Prompt", experiment.prompt ? <RefLink key="p" value={experiment.prompt} /> : <span className="faint">none</span>],
                ["Dataset", experiment.dataset ? <RefLink key="d" value={experiment.dataset} /> : <span className="faint">rows from elsewhere</span>],
                ["Split", experiment.split || "all"],
                ...(experiment.suite ? [["Suite", <RefLink key="s" value={experiment.suite} />] as [string, React.ReactNode]] : []),
                ["Answers", experiment.constrained ? "held to the response schema" : "free"],
                ...(experiment.baseline ? [["Held against", <RefLink key="b" value={`experiment/${experiment.baseline}`} />] as [string, React.ReactNode]] : []),
                ["By", experiment.created_by],
                ...(run ? [["Run", <RefLink key="r" value={`run/${experiment.id}`} />] as [string, React.ReactNode]] : []),
                ...(experiment.note ? [["Note", experiment.note] as [string, string]] : []),
              ]}
            />
          </Card>
          <Card title="Settings">
            <Facts value={{ ...experiment.settings, ...budgetOf(run) }} />
          </Card>
        </div>
      </div>
    </div>
  );
}

function budgetOf(run: Run | undefined): Record<string, unknown> {
  if (!run) return {};
  const { max_calls, max_cost, reuse, concurrency } = run.params;
  return { max_calls, max_cost: max_cost == null ? null : money(Number(max_cost)), reuse, concurrency };
}

function Notice({ tone, text }: { tone: "warn" | "error"; text: string }) {
  return (
    <p className={`notice ${tone}`}>
      <Icon name="warn" size={14} />
      <span>{text}</span>
    </p>
  );
}

function Range({ figure: one }: { figure: Figure }) {
  if (one.low == null || one.high == null || one.value == null) return <span className="faint">none</span>;
  const bounded = one.unit === "share" || (!isSpeed(one.unit) && one.low >= 0 && one.high <= 1);
  return (
    <span className="row range">
      <IntervalMark value={one.value} low={one.low} high={one.high} min={Math.min(0, one.low)} max={bounded ? 1 : one.high * 1.1 || 1} mark={null} />
      <span className="num faint nowrap">{span(one.low, one.high, one.unit)}</span>
    </span>
  );
}

/** The other experiments over the same rows, each a comparison with this one as the candidate. */
function CompareWith({ experiment }: { experiment: Experiment }) {
  const navigate = useNavigate();
  const query = $api.useQuery("get", "/experiments", { params: { query: { dataset: experiment.dataset, limit: 200 } } });
  const others = query.data?.items.filter((one) => one.id !== experiment.id && one.dataset === experiment.dataset && one.split === experiment.split) ?? [];
  const go = (baseline: string) => void navigate({ to: "/experiments/compare", search: { ids: `${baseline},${experiment.id}` } as never });
  if (query.data && others.length === 0) return <span className="faint">No other experiment over these rows</span>;
  return (
    <>
      {experiment.baseline && (
        <Link className="btn" to="/experiments/compare" search={{ ids: `${experiment.baseline},${experiment.id}` } as never}>
          Compare with its baseline
        </Link>
      )}
      <select className="select" aria-label="Compare with" value="" disabled={others.length === 0} onChange={(event) => go(event.target.value)}>
        <option value="">Compare with…</option>
        {others.map((one) => (
          <option key={one.id} value={one.id}>
            {nameOf(one)} ({one.target || "no target"})
          </option>
        ))}
      </select>
    </>
  );
}

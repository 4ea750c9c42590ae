import { useParams } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Experiment, ExperimentRow } from "../../api/types";
import { Blank, Card, Id, KeyValues, Stats, Time } from "../../kit/basics";
import { IntervalMark } from "../../kit/chart";
import { count, duration, figure } from "../../kit/format";
import { Facts } from "../../kit/Facts";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { RefLink } from "../../shell/RefLink";
import { Code, Content } from "../traces/Content";
import { Compared } from "./Evidence";

const TABS = ["Figures", "Rows", "Compare"] as const;

/** One experiment: its figures with their intervals, its rows, and how it stands against another. */
export function ExperimentPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const tab = useTab(TABS);
  const query = $api.useQuery("get", "/experiments/{id}", { params: { path: { id } } });
  return (
    <Page
      title={query.data?.name || "Experiment"}
      crumbs={[{ label: "Experiments", to: "/experiments" }]}
      badge={<Id value={id} length={13} />}
      tabs={<Tabs tabs={TABS} label="Parts of the experiment" current={tab} />}
      flush={tab === "Rows"}
    >
      <Show query={query}>
        {(experiment) => (
          <>
            {tab === "Figures" && <Figures experiment={experiment} />}
            {tab === "Rows" && <Rows experiment={experiment} />}
            {tab === "Compare" && <Compare experiment={experiment} />}
          </>
        )}
      </Show>
    </Page>
  );
}

function Figures({ experiment }: { experiment: Experiment }) {
  return (
    <div className="stack">
      <Stats
        items={[
          { label: "Rows", value: count(experiment.rows), note: experiment.errors ? `${count(experiment.errors)} refused` : undefined },
          { label: "Split", value: experiment.split || "all" },
          { label: "Answers", value: experiment.constrained ? "constrained" : "free" },
          { label: "Made", value: <Time at={experiment.created_at} /> },
        ]}
      />
      <div className="columns">
        <Card title="Figures" flush>
          <Table
            label="Figures"
            items={experiment.figures}
            id={(one) => one.metric}
            columns={[
              { key: "metric", label: "Metric", cell: (one) => <span title={one.note}>{one.metric}</span> },
              { key: "value", label: "Value", numeric: true, cell: (one) => <b>{figure(one.value)}</b> },
              { key: "interval", label: "95 % interval", cell: (one) => <Range figure={one} /> },
              { key: "unit", label: "Unit", cell: (one) => one.unit },
              { key: "n", label: "Rows", numeric: true, cell: (one) => count(one.n) },
              { key: "method", label: "Interval by", cell: (one) => <span className="dim">{one.method}</span> },
            ]}
          />
        </Card>
        <div className="stack">
          <Card title="Experiment">
            <KeyValues
              items={[
                ["Target", <RefLink key="t" value={experiment.target} />],
                ["Prompt", experiment.prompt ? <RefLink key="p" value={experiment.prompt} /> : <span className="faint">none</span>],
                ["Dataset", <RefLink key="d" value={experiment.dataset} />],
                ["By", experiment.created_by],
                ["Run", <RefLink key="r" value={`run/${experiment.id}`} />],
              ]}
            />
          </Card>
          <Card title="Settings">
            <Facts value={experiment.settings} />
          </Card>
        </div>
      </div>
    </div>
  );
}

function Range({ figure: one }: { figure: Experiment["figures"][number] }) {
  if (one.low == null || one.high == null || one.value == null) return <span className="faint">none</span>;
  const top = one.unit === "share" || one.unit === "score" ? Math.max(1, one.high) : one.high * 1.1 || 1;
  return (
    <span className="row">
      <IntervalMark value={one.value} low={one.low} high={one.high} min={0} max={top} mark={-1} />
      <span className="num faint" style={{ whiteSpace: "nowrap" }}>
        {figure(one.low)} to {figure(one.high)}
      </span>
    </span>
  );
}

function columns(experiment: Experiment): Column<ExperimentRow>[] {
  const metrics = experiment.figures.filter((one) => one.unit === "share" || one.unit === "score").slice(0, 4);
  return [
    { key: "row", label: "Row", width: "112px", cell: (row) => <span className="mono dim">{row.row}</span> },
    { key: "asked", label: "Asked", width: "minmax(200px,1.6fr)", cell: (row) => String(row.messages.at(-1)?.content ?? "").slice(0, 240) },
    { key: "answer", label: "Answer", width: "minmax(200px,1.6fr)", cell: (row) => <span className="dim">{row.error || row.answer.slice(0, 240)}</span> },
    ...metrics.map(
      (one): Column<ExperimentRow> => ({
        key: one.metric,
        label: one.metric,
        width: "92px",
        numeric: true,
        cell: (row) => <span className="num">{figure(row.scores[one.metric])}</span>,
      }),
    ),
    { key: "latency", label: "Latency", width: "76px", numeric: true, cell: (row) => <span className="num">{duration(row.latency_ms)}</span> },
  ];
}

function Rows({ experiment }: { experiment: Experiment }) {
  const [url, setUrl] = useUrl();
  const query = $api.useInfiniteQuery(
    "get",
    "/experiments/{id}/rows",
    { params: { path: { id: experiment.id }, query: { limit: 200 } } },
    { pageParamName: "cursor", initialPageParam: "", getNextPageParam: (page) => page.next_cursor || undefined },
  );
  return (
    <List
      label="Rows"
      noun="row"
      items={query.data?.pages.flatMap((page) => page.items)}
      error={query.error}
      retry={query.refetch}
      columns={columns(experiment)}
      id={(row) => row.row}
      open={(row) => setUrl({ peek: row.row })}
      selected={url.peek}
      select={(peek) => setUrl({ peek })}
      peekTitle={(row) => <span className="mono">{row.row}</span>}
      peek={(row) => <RowDetail row={row} />}
      hasMore={query.hasNextPage}
      loadMore={() => void query.fetchNextPage()}
      loadingMore={query.isFetchingNextPage}
      blank={<Blank icon="experiment" title="No rows" />}
    />
  );
}

function RowDetail({ row }: { row: ExperimentRow }) {
  return (
    <div className="stack">
      <KeyValues items={Object.entries(row.scores).map(([name, value]) => [name, <span key={name}>{figure(value)}</span>])} />
      <Content span={{ input: row.messages, output: row.answer } as never} />
      {row.reference != null && (
        <>
          <h3>Reference</h3>
          <Code label="Reference" value={typeof row.reference === "string" ? row.reference : JSON.stringify(row.reference, null, 2)} />
        </>
      )}
      {row.trace_id && <RefLink value={`trace/${row.trace_id}`} />}
    </div>
  );
}

/** Against another experiment over the same dataset version and split; which one stands in the address. */
function Compare({ experiment }: { experiment: Experiment }) {
  const [url, setUrl] = useUrl();
  const query = $api.useQuery("get", "/experiments", { params: { query: { dataset: experiment.dataset, limit: 200 } } });
  return (
    <Show query={query}>
      {(page) => {
        const others = page.items.filter((one) => one.id !== experiment.id && one.split === experiment.split && one.constrained === experiment.constrained);
        const chosen = others.find((one) => one.id === url.baseline) ?? others[0];
        if (!chosen) return <Blank icon="experiment" title="Nothing to compare with" text="Run another target or prompt over the same rows." />;
        return (
          <div className="stack">
            <label className="row">
              <span className="dim">Baseline</span>
              <select className="select" value={chosen.id} onChange={(event) => setUrl({ baseline: event.target.value }, true)}>
                {others.map((one) => (
                  <option key={one.id} value={one.id}>
                    {one.name || one.id.slice(0, 13)} ({one.target})
                  </option>
                ))}
              </select>
            </label>
            <Compared candidate={experiment.id} baseline={chosen.id} />
          </div>
        );
      }}
    </Show>
  );
}

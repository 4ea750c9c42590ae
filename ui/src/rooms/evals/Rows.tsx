import { useState } from "react";
import { $api } from "../../api/client";
import type { Experiment, ExperimentRow } from "../../api/types";
import { Blank, KeyValues } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { Filters, Search } from "../../kit/filters";
import { duration, figure, money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { List, Table, type Column } from "../../kit/list";
import { paged, PAGES } from "../../kit/pages";
import { RefLink } from "../../shell/RefLink";
import { Code, Content } from "../traces/Content";
import { amount, headline, isSpeed } from "./figures";
import { Judge } from "./People";

const keyOf = (row: ExperimentRow) => (row.repeat ? `${row.row}~${row.repeat}` : row.row);
const asked = (row: Pick<ExperimentRow, "messages">) => String(row.messages.at(-1)?.content ?? "").slice(0, 240);

function columns(experiment: Experiment, chosen: string | undefined): Column<ExperimentRow>[] {
  const first = experiment.figures.find((one) => one.metric === chosen);
  const metrics = [...(first ? [first] : []), ...headline(experiment.figures, 4).filter((one) => one !== first && !isSpeed(one.unit))].slice(0, 4);
  return [
    { key: "row", label: "Row", width: "112px", cell: (row) => <span className="mono dim">{keyOf(row)}</span> },
    ...metrics.map(
      (one): Column<ExperimentRow> => ({
        key: one.metric,
        label: one.metric,
        width: "104px",
        numeric: true,
        cell: (row) => <span className="num">{amount(row.scores[one.metric], one.unit)}</span>,
      }),
    ),
    { key: "asked", label: "Asked", width: "minmax(180px,1.4fr)", cell: asked },
    { key: "answer", label: "Answer", width: "minmax(180px,1.6fr)", cell: (row) => (row.error ? <span className="failed">{row.error}</span> : <span className="dim">{row.answer.slice(0, 240)}</span>) },
    { key: "latency", label: "Latency", width: "76px", numeric: true, cell: (row) => <span className="num">{duration(row.latency_ms)}</span> },
  ];
}

/** The rows, a page at a time however many there are, narrowed by text, by score and to those without an answer. */
export function Rows({ experiment }: { experiment: Experiment }) {
  const [url, setUrl] = useUrl();
  const bound = (text: string | undefined) => (text && Number.isFinite(Number(text)) ? Number(text) : undefined);
  const where = { query: url.query ?? "", errors: url.errors === "1", metric: url.metric ?? "", at_most: bound(url.at_most), at_least: bound(url.at_least) };
  const query = $api.useInfiniteQuery("get", "/experiments/{id}/rows", { params: { path: { id: experiment.id }, query: { ...where, limit: 200 } } }, PAGES);
  const narrowed = where.query || where.errors || where.metric;
  return (
    <>
      <Narrow experiment={experiment} />
      <List
        label="Rows"
        noun="row"
        {...paged(query)}
        columns={columns(experiment, url.metric)}
        id={keyOf}
        open={(row) => setUrl({ peek: keyOf(row) })}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(row) => <span className="mono">{keyOf(row)}</span>}
        peek={(row) => <RowDetail key={keyOf(row)} row={row} experiment={experiment} />}
        blank={<Blank icon="experiment" narrowed={Boolean(narrowed) && "No row matches"} title="No rows" />}
      />
    </>
  );
}

function Narrow({ experiment }: { experiment: Experiment }) {
  const [url, setUrl] = useUrl();
  return (
    <Filters>
      <Search label="Search rows" placeholder="Text in question, answer or reference" />
      <select
        className="select"
        aria-label="Metric"
        value={url.metric ?? ""}
        onChange={(event) => setUrl({ metric: event.target.value || undefined, at_most: undefined, at_least: undefined, peek: undefined }, true)}
      >
        <option value="">Any score</option>
        {experiment.figures.map((one) => (
          <option key={one.metric}>{one.metric}</option>
        ))}
      </select>
      {url.metric && <Bound key={`${url.metric}-least`} label="At least" field="at_least" />}
      {url.metric && <Bound key={`${url.metric}-most`} label="At most" field="at_most" />}
      <button type="button" className="btn" aria-pressed={url.errors === "1"} onClick={() => setUrl({ errors: url.errors === "1" ? undefined : "1", peek: undefined }, true)}>
        Without an answer
      </button>
    </Filters>
  );
}

function Bound({ label, field }: { label: string; field: "at_least" | "at_most" }) {
  const [url, setUrl] = useUrl();
  const [text, setText] = useState(url[field] ?? "");
  const settle = () => text !== (url[field] ?? "") && setUrl({ [field]: text || undefined, peek: undefined }, true);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        settle();
      }}
    >
      <label className="row">
        <span className="dim">{label}</span>
        <input className="input bound" type="number" step="any" value={text} onChange={(event) => setText(event.target.value)} onBlur={settle} />
      </label>
    </form>
  );
}

function RowDetail({ row, experiment }: { row: ExperimentRow; experiment: Experiment }) {
  const units = new Map(experiment.figures.map((one) => [one.metric, one.unit]));
  const took: [string, string][] = [
    ["Latency", row.latency_ms == null ? "reused: not timed again" : duration(row.latency_ms)],
    ["Tokens", `${figure(row.input_tokens)} in, ${figure(row.output_tokens)} out`],
    ["Cost", money(row.cost)],
  ];
  return (
    <div className="stack">
      {row.error && (
        <p className="notice error">
          <Icon name="warn" size={14} />
          <span>{row.error}</span>
        </p>
      )}
      <ScoreTable scores={Object.entries(row.scores).map(([metric, value]) => ({ metric, value, unit: units.get(metric) ?? "" }))} />
      {experiment.dataset && <Source row={row} dataset={experiment.dataset} />}
      <Content span={{ input: row.messages, output: row.answer } as never} />
      {row.reference != null && (
        <>
          <h3>Reference</h3>
          <Code label="Reference" value={typeof row.reference === "string" ? row.reference : JSON.stringify(row.reference, null, 2)} />
        </>
      )}
      {row.trace_id && <Judge trace={row.trace_id} />}
      <KeyValues
        items={[
          ...(row.input_tokens == null && row.latency_ms == null ? [] : took),
          ...(row.group ? [["Group", row.group] as [string, string]] : []),
          ...(row.trace_id ? [["Trace", <RefLink key="t" value={`trace/${row.trace_id}`} />] as [string, React.ReactNode]] : []),
        ]}
      />
    </div>
  );
}

/** The row of the dataset: the values that filled the prompt's variables, and what else it holds. */
function Source({ row, dataset }: { row: ExperimentRow; dataset: string }) {
  const [name = "", selector = ""] = dataset.replace(/^dataset\//, "").split("@");
  const query = $api.useQuery("get", "/datasets/{name}/rows", { params: { path: { name }, query: { selector, row_id: row.row, limit: 1 } } }, { staleTime: Infinity, retry: false });
  const found = query.data?.items[0];
  if (!found) return null;
  return (
    <details>
      <summary>Variables and labels of the row</summary>
      <Facts value={{ ...found.meta, label: found.label, split: found.split, group: found.group }} />
    </details>
  );
}

function ScoreTable({ scores }: { scores: { metric: string; value: number | null; unit: string }[] }) {
  return (
    <Table
      label="Scores of the row"
      items={scores}
      id={(one) => one.metric}
      columns={[
        { key: "metric", label: "Metric", cell: (one) => one.metric },
        { key: "value", label: "Score", numeric: true, cell: (one) => (one.value == null ? <span className="faint">does not apply</span> : <b>{amount(one.value, one.unit)}</b>) },
      ]}
    />
  );
}

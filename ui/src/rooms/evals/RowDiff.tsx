import { $api } from "../../api/client";
import type { AlignedRow, Experiment } from "../../api/types";
import { Blank } from "../../kit/basics";
import { Filters } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { List, type Column } from "../../kit/list";
import { paged, PAGES } from "../../kit/pages";
import { RefLink } from "../../shell/RefLink";
import { Code } from "../traces/Content";
import { readMessages } from "../traces/messages";
import { laidOut, readable, type Piece } from "./diff";
import { amount, change, headline, namesOf, ordered } from "./figures";

const SHOWN = { all: "All rows", changed: "Changed", improved: "Improved", worsened: "Worsened" } as const;
type Show = keyof typeof SHOWN;
interface Metric {
  metric: string;
  unit: string;
  higher_is_better: boolean;
}

const keyOf = (row: AlignedRow) => (row.repeat ? `${row.row}~${row.repeat}` : row.row);

/** The metrics that all of the experiments have. */
function common(experiments: Experiment[]): Metric[] {
  const [first, ...others] = experiments;
  return ordered(first!.figures).filter((one) => others.every((other) => other.figures.some((figure) => figure.metric === one.metric)));
}

/** The rows that all have, side by side; a page at a time, however many there are. */
export function RowDiff({ experiments }: { experiments: Experiment[] }) {
  const [url, setUrl] = useUrl();
  const metrics = common(experiments);
  const metric = metrics.find((one) => one.metric === url.metric);
  const asked = (Object.keys(SHOWN) as Show[]).find((one) => one === url.show) ?? "all";
  const show = metric || asked === "changed" ? asked : "all";
  const pair = experiments.slice(1).find((one) => one.id === url.of);
  const shown = pair ? [experiments[0]!, pair] : experiments;
  const [baseline, candidate, ...more] = shown as [Experiment, Experiment, ...Experiment[]];
  const query = $api.useInfiniteQuery(
    "get",
    "/experiments/align",
    {
      params: {
        query: { baseline: baseline.id, candidate: candidate.id, more: more.length ? more.map((one) => one.id) : undefined, metric: metric?.metric, show, limit: 100 },
      },
    },
    { ...PAGES, retry: false },
  );
  const listed = metric ? [metric] : headline(baseline.figures, 3).filter((one) => metrics.some((other) => other.metric === one.metric));
  return (
    <>
      <Filters>
        <select className="select" aria-label="Metric" value={metric?.metric ?? ""} onChange={(event) => setUrl({ metric: event.target.value || undefined, show: undefined, peek: undefined }, true)}>
          <option value="">By answer</option>
          {metrics.map((one) => (
            <option key={one.metric}>{one.metric}</option>
          ))}
        </select>
        <div className="segments" role="group" aria-label="Rows shown">
          {(Object.keys(SHOWN) as Show[]).map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === show}
              disabled={!metric && (one === "improved" || one === "worsened")}
              title={!metric && (one === "improved" || one === "worsened") ? "Choose a metric first" : undefined}
              onClick={() => setUrl({ show: one === "all" ? undefined : one, peek: undefined }, true)}
            >
              {SHOWN[one]}
            </button>
          ))}
        </div>
        {experiments.length > 2 && (
          <select className="select" aria-label="Candidates" value={pair?.id ?? ""} onChange={(event) => setUrl({ of: event.target.value || undefined, peek: undefined }, true)}>
            <option value="">All candidates</option>
            {experiments.slice(1).map((one, index) => (
              <option key={one.id} value={one.id}>
                {namesOf(experiments)[index + 1]} alone
              </option>
            ))}
          </select>
        )}
        <span className="faint">
          Baseline {namesOf(shown)[0]}
          {metric ? `; the widest gap in ${metric.metric} first` : ""}
        </span>
      </Filters>
      <div className="list-wide">
        <List
          label="Rows side by side"
          noun="row"
          {...paged(query)}
          columns={columns(shown, listed)}
          id={keyOf}
          open={(row) => setUrl({ peek: keyOf(row) })}
          selected={url.peek}
          select={(peek) => setUrl({ peek })}
          peekTitle={(row) => <span className="mono">{keyOf(row)}</span>}
          peek={(row) => <Beside row={row} experiments={shown} metrics={metrics} />}
          blank={<Blank icon="filter" title={show === "all" ? "No rows" : `No row ${show}`} text={show === "all" ? undefined : "Show all rows, or choose another metric."} />}
        />
      </div>
    </>
  );
}

function columns(experiments: Experiment[], metrics: Metric[]): Column<AlignedRow>[] {
  const names = namesOf(experiments);
  return [
    { key: "row", label: "Row", width: "104px", cell: (row) => <span className="mono dim">{keyOf(row)}</span> },
    ...metrics.map(
      (one): Column<AlignedRow> => ({
        key: one.metric,
        label: one.metric,
        width: `${Math.max(100, experiments.length * 56)}px`,
        cell: (row) => <Moves row={row} metric={one} />,
      }),
    ),
    { key: "asked", label: "Asked", width: "minmax(160px,1fr)", cell: (row) => String(row.messages.at(-1)?.content ?? "").slice(0, 240) },
    ...experiments.map(
      (one, index): Column<AlignedRow> => ({
        key: one.id,
        label: index === 0 ? `${names[0]} (baseline)` : names[index]!,
        width: "minmax(160px,1.2fr)",
        cell: (row) => {
          const answer = row.answers[index]!;
          return answer.error ? <span className="failed">{answer.error}</span> : <span className="dim">{answer.answer.slice(0, 240)}</span>;
        },
      }),
    ),
  ];
}

/** A metric's score in each experiment, those that moved from the baseline's with the way they went. */
function Moves({ row, metric }: { row: AlignedRow; metric: Metric }) {
  const before = row.answers[0]?.scores[metric.metric];
  return (
    <span className="moves">
      {row.answers.map((answer, index) => (
        <Move key={index} before={before} after={answer.scores[metric.metric]} metric={metric} first={index === 0} />
      ))}
    </span>
  );
}

function Move({ before, after, metric, first }: { before: number | null | undefined; after: number | null | undefined; metric: Metric; first: boolean }) {
  const gap = before == null || after == null ? 0 : after - before;
  const better = gap !== 0 && gap > 0 === metric.higher_is_better;
  return (
    <span className={gap === 0 ? (first ? "" : "faint") : better ? "better" : "worse"} title={gap === 0 ? undefined : `${better ? "improved" : "worsened"} by ${change(Math.abs(gap), metric.unit).replace("+", "")}`}>
      {!first && <Icon name={gap === 0 ? "dot" : gap > 0 ? "up" : "down"} size={12} />}
      {amount(after, metric.unit)}
    </span>
  );
}

/** One row in full: what was asked, the reference, the scores, and each answer beside the baseline's with what changed marked. */
function Beside({ row, experiments, metrics }: { row: AlignedRow; experiments: Experiment[]; metrics: Metric[] }) {
  const [first, ...others] = row.answers;
  const names = namesOf(experiments);
  return (
    <div className="stack">
      <details open>
        <summary>Asked</summary>
        <Code label="Asked" value={(readMessages(row.messages, "user") ?? []).map((one) => `${one.role}: ${one.parts.map((part) => part.text).join("\n")}`).join("\n\n")} />
      </details>
      {row.reference != null && (
        <details open>
          <summary>Reference</summary>
          <Code label="Reference" value={typeof row.reference === "string" ? laidOut(row.reference) : JSON.stringify(row.reference, null, 2)} />
        </details>
      )}
      {others.map((answer, index) => {
        const pieces = readable(laidOut(first!.answer), laidOut(answer.answer));
        const same = first!.answer === answer.answer;
        return (
          <section key={answer.experiment} className="card" aria-label={`Answers of ${names[0]} and ${names[index + 1]}`}>
            <div className="beside">
              <Answer name={names[0]!} answer={first!} pieces={pieces} hide="add" />
              <Answer name={names[index + 1]!} answer={answer} pieces={pieces} hide="cut" />
            </div>
            {same && !answer.error && <p className="faint left-out">The answers are the same.</p>}
            <dl className="kv left-out">
              {metrics
                .filter((one) => first!.scores[one.metric] != null || answer.scores[one.metric] != null)
                .map((one) => (
                  <div key={one.metric} style={{ display: "contents" }}>
                    <dt>{one.metric}</dt>
                    <dd className="moves">
                      <Move before={first!.scores[one.metric]} after={first!.scores[one.metric]} metric={one} first />
                      <Move before={first!.scores[one.metric]} after={answer.scores[one.metric]} metric={one} first={false} />
                    </dd>
                  </div>
                ))}
            </dl>
          </section>
        );
      })}
    </div>
  );
}

function Answer({ name, answer, pieces, hide }: { name: string; answer: AlignedRow["answers"][number]; pieces: Piece[]; hide: "cut" | "add" }) {
  return (
    <div>
      <header className="row">
        <h3 className="cut grow">{name}</h3>
        {answer.trace_id && <RefLink value={`trace/${answer.trace_id}`} />}
      </header>
      {answer.error ? (
        <p className="failed">{answer.error}</p>
      ) : (
        <p className="answer-text">
          {pieces.map((piece, index) =>
            piece.kind === hide ? null : piece.kind === "same" ? (
              piece.text
            ) : piece.kind === "cut" ? (
              <del key={index}>{piece.text}</del>
            ) : (
              <ins key={index}>{piece.text}</ins>
            ),
          )}
        </p>
      )}
    </div>
  );
}

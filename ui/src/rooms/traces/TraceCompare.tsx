import { Link } from "@tanstack/react-router";
import { useMemo, useState, type ReactNode } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import type { Outline, Span } from "../../api/types";
import { Blank, Card, Id, Segments, Status } from "../../kit/basics";
import { Field } from "../../kit/Dialog";
import { count, duration, money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Failure, Page, Show } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { readable } from "../evals/diff";
import { Side } from "./Content";
import { align, type Pair } from "./align";
import { pretty, readMessages } from "./messages";
import { useOutline } from "./outline";
import { useSpan } from "./SpanDetail";
import { spansOf, totals } from "./tree";

const ID = /^[0-9a-f]{32}$/;

/** Two traces side by side: what they used, span for span, and what was said in each. */
export function TraceCompare() {
  const [url] = useUrl();
  const [left = "", right = ""] = (url.ids ?? "").split(",").filter((id) => ID.test(id));
  return (
    <Page title="Compare" crumbs={[{ label: "Traces", to: "/traces" }]} badge={left && right ? <Swap left={left} right={right} /> : undefined}>
      {left && right ? <Both left={left} right={right} /> : <Pick left={left} />}
    </Page>
  );
}

function Swap({ left, right }: { left: string; right: string }) {
  const [, setUrl] = useUrl();
  return (
    <button type="button" className="btn quiet" onClick={() => setUrl({ ids: `${right},${left}`, at: undefined })}>
      Swap
    </button>
  );
}

function Pick({ left }: { left: string }) {
  const [, setUrl] = useUrl();
  const [first, setFirst] = useState(left);
  const [second, setSecond] = useState("");
  return (
    <form
      className="stack"
      style={{ maxWidth: 420 }}
      onSubmit={(event) => {
        event.preventDefault();
        setUrl({ ids: `${first},${second}` }, true);
      }}
    >
      <Blank small icon="traces" title="Two traces to compare" text="Mark two in the list of traces, or give their ids." code="mainspring trace list --limit 2" />
      <Field label="Trace">
        <input className="input mono" value={first} onChange={(event) => setFirst(event.target.value.trim())} />
      </Field>
      <Field label="Compared with">
        <input className="input mono" value={second} onChange={(event) => setSecond(event.target.value.trim())} />
      </Field>
      <div className="row end">
        <button type="submit" className="btn primary" disabled={!ID.test(first) || !ID.test(second) || first === second}>
          Compare
        </button>
      </div>
    </form>
  );
}

function Both({ left, right }: { left: string; right: string }) {
  const queries = [useOutline(left), useOutline(right)] as const;
  const failed = queries.find((query) => query.error && !query.data);
  if (failed) return <Failure error={failed.error} retry={failed.refetch} />;
  return (
    <Show query={queries[0]}>{(a) => <Show query={queries[1]}>{(b) => <Compared a={a} b={b} />}</Show>}</Show>
  );
}

function Compared({ a, b }: { a: Outline; b: Outline }) {
  const [url, setUrl] = useUrl();
  const [first, second] = useMemo(() => [spansOf(a.spans), spansOf(b.spans)], [a.spans, b.spans]);
  const pairs = useMemo(() => align(first, second), [first, second]);
  const sums = useMemo(() => [totals(first), totals(second)] as const, [first, second]);
  const chosen = pairs.find((pair) => pair.key === url.at) ?? pairs.find((pair) => pair.left?.says && pair.right?.says) ?? pairs[0];
  return (
    <div className="stack">
      <Card title="In all" flush>
        <div className="table-wrap" tabIndex={0} role="group" aria-label="In all">
          <table className="table fit">
            <thead>
              <tr>
                <th scope="col" />
                {[a, b].map((one) => (
                  <th key={one.trace_id} scope="col" className="num">
                    <Link className="link" to={`/traces/${one.trace_id}`}>
                      {one.spans.name[Math.max(0, one.spans.parent.indexOf(-1))] || "Trace"}
                    </Link>{" "}
                    <Id value={one.trace_id} />
                  </th>
                ))}
                <th scope="col" className="num">Difference</th>
              </tr>
            </thead>
            <tbody>
              <tr>
                <th scope="row">Status</th>
                <td className="num"><Status state={a.status} /></td>
                <td className="num"><Status state={b.status} /></td>
                <td className="num">{a.status === b.status ? "" : "differs"}</td>
              </tr>
              <Figure label="Latency" a={a.duration_ms} b={b.duration_ms} show={duration} />
              <Figure label="Tokens in" a={sums[0].input} b={sums[1].input} show={count} />
              <Figure label="Tokens out" a={sums[0].output} b={sums[1].output} show={count} />
              <Figure label="Cost" a={sums[0].cost} b={sums[1].cost} show={money} />
              <Figure label="Spans" a={first.length} b={second.length} show={count} />
              <Figure label="Failed" a={sums[0].errors} b={sums[1].errors} show={count} />
              {scoreRows(a, b)}
            </tbody>
          </table>
        </div>
      </Card>
      <Card title="Span by span" flush>
        <Pairs pairs={pairs} chosen={chosen?.key} choose={(at) => setUrl({ at })} />
      </Card>
      {chosen && <Said key={chosen.key} pair={chosen} a={a.trace_id} b={b.trace_id} />}
    </div>
  );
}

function Figure({ label, a, b, show }: { label: string; a: number; b: number; show: (value: number) => string }) {
  return (
    <tr>
      <th scope="row">{label}</th>
      <td className="num">{show(a)}</td>
      <td className="num">{show(b)}</td>
      <td className="num">{change(a, b, show)}</td>
    </tr>
  );
}

function change(a: number, b: number, show: (value: number) => string): string {
  if (a === b) return "";
  const share = a > 0 ? ` (${b > a ? "+" : "−"}${Math.round((Math.abs(b - a) / a) * 100)} %)` : "";
  return `${b > a ? "+" : "−"}${show(Math.abs(b - a))}${share}`;
}

/** The last score of each name, where either trace has one. */
function scoreRows(a: Outline, b: Outline) {
  const last = (one: Outline) => new Map(one.scores.map((score) => [score.name, score]));
  const [left, right] = [last(a), last(b)];
  return [...new Set([...left.keys(), ...right.keys()])].map((name) => {
    const [x, y] = [left.get(name), right.get(name)];
    const said = (score: typeof x) => score?.label ?? (score?.number == null ? "–" : String(score.number));
    return (
      <tr key={name}>
        <th scope="row">{name}</th>
        <td className="num">{said(x)}</td>
        <td className="num">{said(y)}</td>
        <td className="num">{x?.number != null && y?.number != null ? change(x.number, y.number, String) : said(x) === said(y) ? "" : "differs"}</td>
      </tr>
    );
  });
}

const ROW = 28;

function Pairs({ pairs, chosen, choose }: { pairs: Pair[]; chosen?: string; choose: (key: string) => void }) {
  const scroll = useRef<HTMLDivElement>(null);
  const view = useVirtualizer({ count: pairs.length, getScrollElement: () => scroll.current, estimateSize: () => ROW, overscan: 12 });
  return (
    <div className="pairs" ref={scroll} style={{ height: Math.min(pairs.length, 12) * ROW + 2 }} tabIndex={0} role="listbox" aria-label="Spans of both">
      <div style={{ height: view.getTotalSize(), position: "relative" }} role="presentation">
        {view.getVirtualItems().map((item) => {
          const { key, name, depth, left, right } = pairs[item.index]!;
          const took = (span: typeof left) => (span ? duration(span.end - span.start) : "");
          return (
            <div key={key} role="option" aria-selected={key === chosen} className="pair-row" style={{ transform: `translateY(${item.start}px)` }} onClick={() => choose(key)}>
              <span className="cut" style={{ paddingLeft: Math.min(depth, 24) * 14 }}>
                {name} {!left && <span className="tag">only in the second</span>}
                {!right && <span className="tag">only in the first</span>}
              </span>
              <span className={left?.status === "error" ? "num failed" : "num"}>{took(left)}</span>
              <span className={right?.status === "error" ? "num failed" : "num"}>{took(right)}</span>
              <span className="num dim">{left && right ? change(left.end - left.start, right.end - right.start, duration) : ""}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

const FACTS = ["status", "status_message", "release", "prompt", "model", "provider", "deployment", "environment", "service", "session_id", "user_id"] as const;

function Said({ pair, a, b }: { pair: Pair; a: string; b: string }) {
  const [view, setView] = useState<"Changes" | "Side by side">("Changes");
  const left = useSpan(a, pair.left?.span_id ?? "");
  const right = useSpan(b, pair.right?.span_id ?? "");
  const spans = [pair.left && left.data, pair.right && right.data] as const;
  if ((pair.left && !left.data) || (pair.right && !right.data)) return <Show query={pair.left && !left.data ? left : right}>{() => null}</Show>;
  const [x, y] = spans;
  const apart = FACTS.filter((name) => x && y && x[name] !== y[name]);
  const keys = x && y ? [...new Set([...Object.keys(x.attributes ?? {}), ...Object.keys(y.attributes ?? {})])].filter((key) => JSON.stringify(x.attributes?.[key]) !== JSON.stringify(y.attributes?.[key])) : [];
  return (
    <Card title={`What ${pair.name} was given and gave`} actions={<Segments value={view} options={["Changes", "Side by side"] as const} label="View" onChange={setView} />}>
      <div className="stack">
        {(apart.length > 0 || keys.length > 0) && (
          <div className="table-wrap" tabIndex={0} role="group" aria-label="What differs">
            <table className="table">
              <tbody>
                {apart.map((name) => (
                  <tr key={name}>
                    <th scope="row">{name.replaceAll("_", " ")}</th>
                    <td>{fact(name, x!)}</td>
                    <td>{fact(name, y!)}</td>
                  </tr>
                ))}
                {keys.slice(0, 40).map((key) => (
                  <tr key={key}>
                    <th scope="row"><code>{key}</code></th>
                    <td><code>{brief(x!.attributes?.[key])}</code></td>
                    <td><code>{brief(y!.attributes?.[key])}</code></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        {(["input", "output"] as const).map((side) =>
          view === "Changes" && x && y ? (
            <Changed key={side} title={side === "input" ? "Input" : "Output"} before={textOf(x[side])} after={textOf(y[side])} />
          ) : (
            <div key={side} className="sides-of">
              {spans.map((span, at) => (
                <div key={at}>{span ? <Side title={side === "input" ? "Input" : "Output"} value={span[side]} role={side === "input" ? "user" : "assistant"} json={false} /> : <p className="faint">not there</p>}</div>
              ))}
            </div>
          ),
        )}
      </div>
    </Card>
  );
}

function fact(name: (typeof FACTS)[number], span: Span): ReactNode {
  const value = span[name];
  if (name === "status") return <Status state={value} />;
  return value ? ["release", "prompt", "model"].includes(name) ? <RefLink value={value} /> : value : <span className="faint">none</span>;
}

function brief(value: unknown): string {
  const text = value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function textOf(value: unknown): string {
  const messages = readMessages(value, "");
  if (!messages) return pretty(value);
  return messages.map((message) => [message.role && `${message.role}:`, ...message.parts.map((part) => part.text)].filter(Boolean).join("\n")).join("\n\n");
}

function Changed({ title, before, after }: { title: string; before: string; after: string }) {
  const pieces = useMemo(() => readable(before, after), [before, after]);
  if (before === after)
    return (
      <details>
        <summary>{title}: the same</summary>
        <pre className="code" tabIndex={0}>{before}</pre>
      </details>
    );
  return (
    <div className="stack tight">
      <h2>{title}</h2>
      <pre className="code" tabIndex={0} aria-label={`Changes of the ${title.toLowerCase()}`}>
        {pieces.map((piece, at) => (piece.kind === "same" ? piece.text : piece.kind === "add" ? <ins key={at}>{piece.text}</ins> : <del key={at}>{piece.text}</del>))}
      </pre>
    </div>
  );
}

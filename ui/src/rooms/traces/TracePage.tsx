import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Outline } from "../../api/types";
import { Id, Stats, Status, Time } from "../../kit/basics";
import { count, duration, money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Page, Show } from "../../kit/page";
import { LineageView } from "../governance/LineageView";
import { Comments, useComments } from "./Comments";
import { Scores } from "./Scores";
import { SpanDetail } from "./SpanDetail";
import { SpanTree } from "./SpanTree";
import { useOutline } from "./outline";
import { spansOf, totals, type SpanNode } from "./tree";

/** One trace: its spans as tree and waterfall, and beside it the chosen span. */
export function TracePage() {
  const { traceId } = useParams({ strict: false }) as { traceId: string };
  const query = useOutline(traceId);
  const spans = query.data?.spans;
  const root = spans ? Math.max(0, spans.parent.indexOf(-1)) : 0;
  return (
    <Page
      title={spans?.name[root] || "Trace"}
      crumbs={[{ label: "Traces", to: "/traces" }]}
      badge={
        <span className="row">
          {query.data && <Status state={query.data.status} />}
          <Id value={traceId} length={12} />
        </span>
      }
      actions={
        <Link className="btn" to="/traces/compare" search={{ ids: traceId } as never}>
          Compare
        </Link>
      }
      flush
    >
      <Show query={query}>{(outline) => <Body key={traceId} outline={outline} />}</Show>
    </Page>
  );
}

const PANES = ["Span", "Why this answer", "Scores", "Comments"] as const;
type Pane = (typeof PANES)[number];

function Body({ outline }: { outline: Outline }) {
  const [url, setUrl] = useUrl();
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const spans = useMemo(() => spansOf(outline.spans), [outline.spans]);
  const chosen = spans.find((span) => span.span_id === url.span) ?? spans.find((span) => span.says) ?? spans[0];
  const pane: Pane = PANES.find((name) => name === url.pane) ?? "Span";
  const comments = useComments(outline.trace_id);
  const counts: Partial<Record<Pane, number | string>> = { Scores: outline.older_scores ? `${outline.scores.length}+` : outline.scores.length, Comments: comments.data?.items.length };
  if (!chosen) return null;
  return (
    <>
      <Totals outline={outline} spans={spans} />
      <div className="trace">
        <SpanTree spans={spans} chosen={chosen.span_id} collapsed={collapsed} setCollapsed={setCollapsed} choose={(span) => setUrl({ span, pane: undefined })} />
        <div className="trace-side">
          <div className="tabs" role="tablist" aria-label="About the span">
            {PANES.map((name) => (
              <button key={name} type="button" role="tab" id={`tab-${name}`} aria-selected={name === pane} aria-controls="pane" onClick={() => setUrl({ pane: name })}>
                {name}
                {counts[name] ? <span className="tag">{counts[name]}</span> : null}
              </button>
            ))}
          </div>
          <div className="trace-pane" role="tabpanel" id="pane" aria-labelledby={`tab-${pane}`} tabIndex={0}>
            {pane === "Span" && <SpanDetail trace={outline.trace_id} span={chosen.span_id} />}
            {pane === "Why this answer" && <LineageView reference={`trace/${outline.trace_id}`} />}
            {pane === "Scores" && <Scores trace={outline} />}
            {pane === "Comments" && <Comments trace={outline.trace_id} spans={spans} chosen={chosen} />}
          </div>
        </div>
      </div>
    </>
  );
}

function Totals({ outline, spans }: { outline: Outline; spans: SpanNode[] }) {
  const sums = useMemo(() => totals(spans), [spans]);
  const running = spans.filter((span) => span.status === "running").length;
  return (
    <div className="trace-totals">
      <Stats
        items={[
          { label: "Started", value: <Time at={outline.started_at} /> },
          { label: "Latency", value: duration(running ? Date.now() - Date.parse(outline.started_at) : outline.duration_ms), note: running ? "so far" : undefined },
          { label: "Tokens in", value: count(sums.input) },
          { label: "Tokens out", value: count(sums.output) },
          { label: "Cost", value: money(sums.cost) },
          { label: "Spans", value: count(spans.length), note: running ? `${count(running)} running` : sums.errors ? `${count(sums.errors)} failed` : undefined },
        ]}
      />
    </div>
  );
}

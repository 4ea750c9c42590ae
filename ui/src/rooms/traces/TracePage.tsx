import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState, type ReactNode } from "react";
import { $api } from "../../api/client";
import type { Span, Trace } from "../../api/types";
import { Id, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { count, duration, money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { Page, Show } from "../../kit/page";
import { LineageView } from "../governance/LineageView";
import { RefLink } from "../../shell/RefLink";
import { Content } from "./Content";
import { readMessages } from "./messages";
import { Scores } from "./Scores";
import { SpanTree } from "./SpanTree";
import { timed } from "./tree";

/** One trace: its spans as tree and waterfall, and beside it the chosen span. */
export function TracePage() {
  const { traceId } = useParams({ strict: false }) as { traceId: string };
  const query = $api.useQuery("get", "/traces/{trace_id}", { params: { path: { trace_id: traceId } } });
  return (
    <Page title={query.data?.spans[0]?.name || "Trace"} crumbs={[{ label: "Traces", to: "/traces" }]} badge={<Id value={traceId} length={12} />} flush>
      <Show query={query}>{(trace) => <Body trace={trace} />}</Show>
    </Page>
  );
}

const PANES = ["Span", "Why this answer", "Scores"] as const;
type Pane = (typeof PANES)[number];

function Body({ trace }: { trace: Trace }) {
  const [url, setUrl] = useUrl();
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const spans = trace.spans;
  const chosen = spans.find((span) => span.span_id === url.span) ?? spans.find((span) => span.input != null) ?? spans[0];
  const totals = useMemo(() => sum(spans), [spans]);
  const placed = useMemo(() => timed(spans), [spans]);
  const pane: Pane = PANES.find((name) => name === url.pane) ?? "Span";
  if (!chosen) return null;
  return (
    <>
      <Totals trace={trace} totals={totals} />
      <div className="trace">
        <SpanTree spans={placed} chosen={chosen.span_id} collapsed={collapsed} setCollapsed={setCollapsed} choose={(span) => setUrl({ span, pane: undefined })} />
        <div className="trace-side">
          <div className="tabs" role="tablist" aria-label="About the span">
            {PANES.map((name) => (
              <button key={name} type="button" role="tab" id={`tab-${name}`} aria-selected={name === pane} aria-controls="pane" onClick={() => setUrl({ pane: name })}>
                {name}
              </button>
            ))}
          </div>
          <div className="trace-pane" role="tabpanel" id="pane" aria-labelledby={`tab-${pane}`} tabIndex={0}>
            {pane === "Span" && <SpanDetail span={chosen} />}
            {pane === "Why this answer" && <LineageView reference={`trace/${chosen.trace_id}`} />}
            {pane === "Scores" && <Scores trace={trace} />}
          </div>
        </div>
      </div>
    </>
  );
}

function sum(spans: Span[]) {
  let [input, output, cost, errors] = [0, 0, 0, 0];
  for (const span of spans) {
    input += span.input_tokens ?? 0;
    output += span.output_tokens ?? 0;
    cost += span.cost ?? 0;
    if (span.status === "error") errors += 1;
  }
  return { input, output, cost, errors };
}

function Totals({ trace, totals }: { trace: Trace; totals: ReturnType<typeof sum> }) {
  const first = trace.spans.find((span) => span.ttft_ms != null);
  return (
    <div className="trace-totals">
      <Stats
        items={[
          { label: "Started", value: <Time at={trace.started_at} /> },
          { label: "Latency", value: duration(trace.duration_ms) },
          ...(first ? [{ label: "First token", value: duration(first.ttft_ms) }] : []),
          { label: "Tokens in", value: count(totals.input) },
          { label: "Tokens out", value: count(totals.output) },
          { label: "Cost", value: money(totals.cost) },
          { label: "Spans", value: count(trace.spans.length), note: totals.errors ? `${totals.errors} failed` : undefined },
        ]}
      />
    </div>
  );
}

function SpanDetail({ span }: { span: Span }) {
  const facts: [string, ReactNode][] = [
    ["Status", <Status key="s" state={span.status} />],
    ...(span.status_message ? ([["Message", span.status_message]] as [string, ReactNode][]) : []),
    ["Kind", span.kind],
    ["Latency", duration(span.duration_ms)],
  ];
  const refs = { Release: span.release, Prompt: span.prompt, Model: span.model };
  for (const [label, ref] of Object.entries(refs)) if (ref) facts.push([label, <RefLink key={label} value={ref} />]);
  if (span.deployment) facts.push(["Deployment", <RefLink key="d" value={`deployment/${span.deployment}`} />]);
  if (span.session_id)
    facts.push(["Session", <Link key="x" className="link" to="/traces" search={{ session_id: span.session_id } as never}>{span.session_id}</Link>]);
  if (span.user_id) facts.push(["User", <Link key="u" className="link" to="/traces" search={{ user_id: span.user_id } as never}>{span.user_id}</Link>]);
  if (span.input_tokens != null || span.output_tokens != null)
    facts.push(["Tokens", `${count(span.input_tokens)} in, ${count(span.output_tokens)} out${span.cached_tokens ? `, ${count(span.cached_tokens)} cached` : ""}`]);
  if (span.cost != null) facts.push(["Cost", money(span.cost)]);
  const attributes = Object.entries(span.attributes ?? {});
  return (
    <div className="stack">
      <KeyValues items={facts} />
      {readMessages(span.input, "user") && (
        <div>
          <Link className="btn" to="/playground" search={{ trace: span.trace_id, span: span.span_id } as never}>
            <Icon name="tool" size={14} /> Open in playground
          </Link>
        </div>
      )}
      <Content span={span} />
      {attributes.length > 0 && (
        <details>
          <summary>Attributes ({attributes.length})</summary>
          <div style={{ paddingTop: 8 }}>
            <KeyValues items={attributes.map(([key, value]) => [key, <code key={key}>{typeof value === "string" ? value : JSON.stringify(value)}</code>])} />
          </div>
        </details>
      )}
      {(span.events?.length ?? 0) > 0 && (
        <details open={span.status === "error"}>
          <summary>Events ({span.events!.length})</summary>
          <pre className="code" tabIndex={0}>{JSON.stringify(span.events, null, 2)}</pre>
        </details>
      )}
    </div>
  );
}

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { $api } from "../../api/client";
import type { Span } from "../../api/types";
import { KeyValues, Status } from "../../kit/basics";
import { count, duration, money } from "../../kit/format";
import { Icon } from "../../kit/icons";
import { Show } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { Content } from "./Content";
import { readMessages } from "./messages";

/** One span, whole: it is asked for when it is chosen, so that a trace opens whatever its size. */
export function SpanDetail({ trace, span }: { trace: string; span: string }) {
  const query = useSpan(trace, span);
  return <Show query={query}>{(found) => <Detail span={found} />}</Show>;
}

/** A span; while it is running, it is asked for again. */
export function useSpan(trace: string, span: string) {
  return $api.useQuery(
    "get",
    "/traces/{trace_id}/spans/{span_id}",
    { params: { path: { trace_id: trace, span_id: span } } },
    { enabled: span !== "", refetchInterval: (query) => ((query.state.data as Span | undefined)?.status === "running" ? 2_000 : false) },
  );
}

function Detail({ span }: { span: Span }) {
  const under = span.status === "running" || span.status === "unfinished";
  const facts: [string, ReactNode][] = [
    ["Status", <Status key="s" state={span.status} />],
    ...(span.status_message ? ([["Message", span.status_message]] as [string, ReactNode][]) : []),
    ["Kind", span.kind],
    ["Latency", under ? "its end has not come" : duration(span.duration_ms)],
  ];
  const refs = { Release: span.release, Prompt: span.prompt, Model: span.model };
  for (const [label, ref] of Object.entries(refs)) if (ref) facts.push([label, <RefLink key={label} value={ref} />]);
  if (span.deployment) facts.push(["Deployment", <RefLink key="d" value={`deployment/${span.deployment}`} />]);
  if (span.session_id)
    facts.push(["Session", <Link key="x" className="link" to="/sessions/conversation" search={{ id: span.session_id } as never}>{span.session_id}</Link>]);
  if (span.user_id) facts.push(["User", <Link key="u" className="link" to="/users" search={{ peek: span.user_id } as never}>{span.user_id}</Link>]);
  if (span.input_tokens != null || span.output_tokens != null)
    facts.push(["Tokens", `${count(span.input_tokens)} in, ${count(span.output_tokens)} out${span.cached_tokens ? `, ${count(span.cached_tokens)} cached` : ""}`]);
  if (span.ttft_ms != null) facts.push(["First token", duration(span.ttft_ms)]);
  if (span.cost != null) facts.push(["Cost", money(span.cost)]);
  return (
    <div className="stack">
      <KeyValues items={facts} />
      {readMessages(span.input, "user") && (
        <div>
          <Link className="btn" to="/playground" search={{ trace: span.trace_id, span: span.span_id } as never}>
            <Icon name="tool" size={14} /> Replay in the playground
          </Link>
        </div>
      )}
      <Content span={span} />
      <Attributes title="Attributes" values={span.attributes ?? {}} />
      <Attributes title="Resource" values={span.resource ?? {}} />
      {(span.events?.length ?? 0) > 0 && (
        <details open={span.status === "error"}>
          <summary>Events ({span.events!.length})</summary>
          <pre className="code" tabIndex={0}>{JSON.stringify(span.events, null, 2)}</pre>
        </details>
      )}
    </div>
  );
}

const FILTERABLE = 200;

/** Attributes with their values; a plain one leads to the traces that have the same. */
function Attributes({ title, values }: { title: string; values: Record<string, unknown> }) {
  const entries = Object.entries(values);
  if (entries.length === 0) return null;
  const shown = ([key, value]: [string, unknown]): [string, ReactNode] => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const plain = value !== null && typeof value !== "object" && text.length <= FILTERABLE && !/[\s=!<>~]/.test(key);
    return [
      key,
      <span key={key} className="row wrap">
        <code>{text}</code>
        {plain && (
          <Link className="link faint" to="/traces" search={{ attribute: `${key}=${text}` } as never} aria-label={`Traces with the same ${key}`}>
            same
          </Link>
        )}
      </span>,
    ];
  };
  return (
    <details>
      <summary>
        {title} ({entries.length})
      </summary>
      <div style={{ paddingTop: 8 }}>
        <KeyValues items={entries.map(shown)} />
      </div>
    </details>
  );
}

import { Link } from "@tanstack/react-router";
import type { TraceLine } from "../../api/types";
import { Stats } from "../../kit/basics";
import { count, duration, money } from "../../kit/format";
import { Failure, Show } from "../../kit/page";
import { Content } from "./Content";
import { useSpan } from "./SpanDetail";
import { useOutline } from "./outline";
import { spansOf } from "./tree";

/** What the peek panel says of a trace: its totals, and what its first model call was asked and answered. */
export function TracePeek({ trace }: { trace: TraceLine }) {
  const outline = useOutline(trace.trace_id);
  const saying = outline.data ? (spansOf(outline.data.spans).find((one) => one.says)?.span_id ?? outline.data.spans.span_id[0] ?? "") : "";
  const query = useSpan(trace.trace_id, saying);
  return (
    <div className="stack">
      <Stats
        items={[
          { label: "Latency", value: duration(trace.duration_ms) },
          { label: "Tokens", value: count(trace.input_tokens + trace.output_tokens) },
          { label: "Cost", value: money(trace.cost) },
          { label: "Spans", value: count(trace.spans) },
        ]}
      />
      {outline.error ? <Failure error={outline.error} retry={outline.refetch} /> : <Show query={query}>{(span) => <Content span={span} />}</Show>}
      <p>
        <Link to={`/traces/${trace.trace_id}`} className="link">
          Open the trace
        </Link>
      </p>
    </div>
  );
}

import { Link } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { TraceLine } from "../../api/types";
import { Stats } from "../../kit/basics";
import { count, duration, money } from "../../kit/format";
import { Show } from "../../kit/page";
import { Content } from "./Content";

/** What the peek panel says of a trace: its totals, and what its first model call was asked and answered. */
export function TracePeek({ trace }: { trace: TraceLine }) {
  const query = $api.useQuery("get", "/traces/{trace_id}", { params: { path: { trace_id: trace.trace_id } } });
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
      <Show query={query}>
        {(whole) => {
          const span = whole.spans.find((one) => one.input != null || one.output != null) ?? whole.spans[0];
          return span ? <Content span={span} /> : null;
        }}
      </Show>
      <p>
        <Link to={`/traces/${trace.trace_id}`} className="link">
          Open the trace
        </Link>
      </p>
    </div>
  );
}

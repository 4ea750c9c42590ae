import { $api } from "../../api/client";
import type { Outline } from "../../api/types";

/** The tree of a trace; while the trace is running, it is asked for again. */
export function useOutline(traceId: string) {
  return $api.useQuery(
    "get",
    "/traces/{trace_id}/outline",
    { params: { path: { trace_id: traceId } } },
    { refetchInterval: (query) => ((query.state.data as Outline | undefined)?.spans.status.includes("running") ? 2_000 : false) },
  );
}

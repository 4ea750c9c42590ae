import { Link } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { GuardedCall } from "../../api/types";
import { Blank, Card, Id, Status, Time } from "../../kit/basics";
import { Choose } from "../../kit/filters";
import { duration } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { Show } from "../../kit/page";
import { PAGES } from "../../kit/pages";
import { RefLink } from "../../shell/RefLink";
import { ACTIONS } from "./rules";

const SIDES = [{ value: "input", label: "in requests" }, { value: "output", label: "in answers" }];
const chosen = <T extends string>(value: string | undefined, of: readonly T[]) => of.find((one) => one === value);

/** The calls of the last week in which the policy found something; each leads to its trace. */
export function Hits({ name }: { name: string }) {
  const [url] = useUrl();
  const action = chosen(url.action, ACTIONS);
  const stage = chosen(url.stage, ["input", "output"] as const);
  const detectors = $api.useQuery("get", "/detectors", {});
  const query = $api.useInfiniteQuery(
    "get",
    "/guards/{name}/hits",
    { params: { path: { name }, query: { detector: url.detector ?? "", limit: 100, ...(action && { action }), ...(stage && { stage }) } } },
    PAGES,
  );
  const calls = query.data?.pages.flatMap((page) => page.items);
  return (
    <Card
      title="Hits of the last 7 days"
      label="Hits"
      flush
      actions={
        <>
          <Choose name="action" label="What was done" any="whatever was done" choices={ACTIONS} />
          <Choose name="detector" label="Detector" any="any detector" choices={detectors.data?.map((one) => one.name) ?? []} />
          <Choose name="stage" label="Side of the model" any="on both sides" choices={SIDES} />
        </>
      }
    >
      <Show query={{ data: calls, error: query.error, isPending: query.isPending, refetch: query.refetch }} lines={6}>
        {(items) => (
          <>
            {items.length > 0 ? (
              <Calls items={items} />
            ) : (
              <Blank small icon="guard" title={query.hasNextPage ? "None among the latest calls" : "No hits"} text={query.hasNextPage ? "Older ones may hold some." : "The policy found nothing of this kind in the traffic of the last 7 days."} />
            )}
            {query.hasNextPage && (
              <div className="row" style={{ padding: 12 }}>
                <button type="button" className="btn" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  {query.isFetchingNextPage ? "Looking" : "Look further back"}
                </button>
              </div>
            )}
          </>
        )}
      </Show>
    </Card>
  );
}

function Calls({ items }: { items: GuardedCall[] }) {
  return (
    <Table<GuardedCall>
      label="Calls with hits"
      items={items}
      id={(call) => call.span_id + call.trace_id}
      columns={[
        { key: "action", label: "Done", cell: (call) => <Status state={call.action} /> },
        { key: "found", label: "Found", cell: (call) => <Found call={call} /> },
        { key: "trace", label: "Trace", cell: (call) => <span className="row"><Link className="link" to={`/traces/${call.trace_id}`} search={{ span: call.span_id } as never}>trace</Link> <Id value={call.trace_id} /></span> },
        { key: "release", label: "Release", cell: (call) => (call.release ? <RefLink value={call.release} /> : call.model) },
        { key: "environment", label: "In", cell: (call) => call.environment },
        { key: "version", label: "Version", numeric: true, cell: (call) => call.guard.split("@")[1] },
        { key: "ms", label: "Took", numeric: true, cell: (call) => duration(call.milliseconds) },
        { key: "at", label: "When", cell: (call) => <Time at={call.started_at} /> },
      ]}
    />
  );
}

/** What was found, each kind once with how often; the text itself is nowhere. */
function Found({ call }: { call: GuardedCall }) {
  const often = new Map<string, number>();
  for (const one of call.findings) {
    const words = `${one.detector}${one.kind && one.kind !== one.detector ? ` ${one.kind}` : ""} ${one.stage === "input" ? `in the request${one.source ? ` (${one.source})` : ""}` : "in the answer"}`;
    often.set(words, (often.get(words) ?? 0) + 1);
  }
  return <>{[...often].map(([words, many]) => (many > 1 ? `${words} ×${many}` : words)).join(", ")}</>;
}

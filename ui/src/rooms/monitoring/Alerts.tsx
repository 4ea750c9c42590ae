import { useQueryClient } from "@tanstack/react-query";
import { $api } from "../../api/client";
import type { Alert } from "../../api/types";
import { Blank, KeyValues, Status, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { toast } from "../../kit/toast";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";

const STATES = ["open", "acknowledged", "resolved"];

const COLUMNS: Column<Alert>[] = [
  { key: "state", label: "State", width: "116px", cell: (a) => <Status state={a.state} /> },
  { key: "title", label: "Alert", width: "minmax(240px,2fr)", cell: (a) => a.title },
  { key: "severity", label: "Severity", width: "96px", cell: (a) => <Status state={a.severity} /> },
  { key: "monitor", label: "Monitor", width: "minmax(120px,1fr)", cell: (a) => a.monitor },
  { key: "count", label: "Times", width: "56px", numeric: true, cell: (a) => <span className="num">{a.count}</span> },
  { key: "last", label: "Last seen", width: "96px", cell: (a) => <Time at={a.last_at} /> },
  { key: "first", label: "First seen", width: "96px", cell: (a) => <Time at={a.first_at} /> },
];

/** What monitors found: open until somebody acknowledges or resolves it. */
export function Alerts() {
  const [url, setUrl] = useUrl();
  const state = STATES.find((one) => one === url.state) as Alert["state"] | undefined;
  const query = $api.useInfiniteQuery(
    "get",
    "/alerts",
    { params: { query: { state, limit: 100 } } },
    { pageParamName: "cursor", initialPageParam: "", getNextPageParam: (page) => page.next_cursor || undefined, refetchInterval: 10_000 },
  );
  return (
    <Page title="Alerts" flush>
      <search className="filters">
        <select className="select" aria-label="State" value={state ?? ""} onChange={(event) => setUrl({ state: event.target.value || undefined }, true)}>
          <option value="">Any state</option>
          {STATES.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </search>
      <List
        label="Alerts"
        noun="alert"
        items={query.data?.pages.flatMap((page) => page.items)}
        error={query.error}
        retry={query.refetch}
        columns={COLUMNS}
        id={(a) => a.id}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(a) => a.title}
        peek={(a) => <Detail alert={a} />}
        hasMore={query.hasNextPage}
        loadMore={() => void query.fetchNextPage()}
        loadingMore={query.isFetchingNextPage}
        blank={
          <Blank
            icon="alert"
            title={state ? `No alert is ${state}` : "No alerts"}
            text="Monitors watch drift, error rate, feedback and guard hits, and raise an alert here and in your channels."
            code={"mainspring channel create ops https://hooks.example.com/…\nmainspring monitor create drifting drift --target docs"}
          />
        }
      />
    </Page>
  );
}

function Detail({ alert }: { alert: Alert }) {
  const who = useWho();
  const queries = useQueryClient();
  const done = (text: string) => ({
    onSuccess: () => toast(text),
    onError: (error: unknown) => toast((error as Error).message, { tone: "error" as const }),
    onSettled: () => void queries.invalidateQueries(),
  });
  const acknowledge = $api.useMutation("post", "/alerts/{alert_id}/acknowledge", done("Acknowledged."));
  const resolve = $api.useMutation("post", "/alerts/{alert_id}/resolve", done("Resolved."));
  const call = { params: { path: { alert_id: alert.id } }, body: { note: "" } };
  return (
    <div className="stack">
      <p>{alert.summary}</p>
      {may(who.data, "alert.write") && alert.state !== "resolved" && (
        <div className="row">
          {alert.state === "open" && (
            <button type="button" className="btn" disabled={acknowledge.isPending} onClick={() => acknowledge.mutate(call)}>
              Acknowledge
            </button>
          )}
          <button type="button" className="btn primary" disabled={resolve.isPending} onClick={() => resolve.mutate(call)}>
            Resolve
          </button>
        </div>
      )}
      <KeyValues
        items={[
          ["State", <Status key="s" state={alert.state} />],
          ["Monitor", alert.monitor],
          ["Target", alert.target || "all traffic"],
          ["Environment", alert.environment || "all"],
          ["First seen", <Time key="f" at={alert.first_at} />],
          ["Last seen", <Time key="l" at={alert.last_at} />],
          ...(alert.acknowledged_by ? ([["Acknowledged", `by ${alert.acknowledged_by}`]] as [string, string][]) : []),
          ...(alert.resolved_by ? ([["Resolved", `by ${alert.resolved_by}`]] as [string, string][]) : []),
          ["Note", alert.note || <span className="faint">none</span>],
        ]}
      />
      {alert.trace_ids.length > 0 && (
        <>
          <h3>Traces to look at first</h3>
          <ul className="stack tight">
            {alert.trace_ids.map((id) => (
              <li key={id}>
                <RefLink value={`trace/${id}`} />
              </li>
            ))}
          </ul>
        </>
      )}
      <Facts value={alert.detail} />
    </div>
  );
}

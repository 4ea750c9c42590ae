import { $api } from "../../api/client";
import type { Alert } from "../../api/types";
import { Blank, Status, Time } from "../../kit/basics";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { AlertDetail } from "./AlertDetail";

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
        peek={(a) => <AlertDetail key={a.id} alert={a} />}
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

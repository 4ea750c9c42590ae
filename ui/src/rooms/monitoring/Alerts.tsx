import { $api } from "../../api/client";
import type { Alert } from "../../api/types";
import { Blank, Status, Time } from "../../kit/basics";
import { Choose, Filters } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
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
  const query = $api.useInfiniteQuery("get", "/alerts", { params: { query: { state, limit: 100 } } }, { ...PAGES, refetchInterval: 10_000 });
  return (
    <Page title="Alerts" flush>
      <Filters>
        <Choose name="state" label="State" any="Any state" choices={STATES} />
      </Filters>
      <List
        label="Alerts"
        noun="alert"
        {...paged(query)}
        columns={COLUMNS}
        id={(a) => a.id}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(a) => a.title}
        peek={(a) => <AlertDetail key={a.id} alert={a} />}
        blank={
          <Blank
            icon="alert"
            narrowed={state && `No alert is ${state}`}
            title="No alerts"
            text="Monitors watch drift, error rate, feedback and guard hits, and raise an alert here and in your channels."
            code={"mainspring channel create ops https://hooks.example.com/…\nmainspring monitor create drifting drift --target docs"}
          />
        }
      />
    </Page>
  );
}

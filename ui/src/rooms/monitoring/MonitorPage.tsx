import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Alert, Monitor, MonitorResult } from "../../api/types";
import { Blank, Card, KeyValues, Segments, Stats, Status, Time } from "../../kit/basics";
import { TypedName } from "../../kit/Dialog";
import { Facts } from "../../kit/Facts";
import { count, duration, figure } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { setsGoing, words } from "./kinds";
import { Looks } from "./Looks";
import { MonitorForm } from "./MonitorForm";
import { MonitorState } from "./MonitorList";

const TABS = ["Looks", "On the past", "Alerts"] as const;
const DAYS = ["1", "7", "28"] as const;

/** One monitor: what it found, what it would have found, and the alerts that it opened. */
export function MonitorPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const tab = useTab(TABS);
  const query = $api.useQuery("get", "/monitors/{name}", { params: { path: { name } } }, { refetchInterval: 15_000 });
  return (
    <Page
      title={name}
      crumbs={[{ label: "Monitors", to: "/monitors" }]}
      badge={query.data && <MonitorState monitor={query.data} />}
      tabs={<Tabs tabs={TABS} label="Parts of the monitor" current={tab} />}
      actions={query.data && <Actions monitor={query.data} />}
    >
      <Show query={query}>
        {(monitor) => (
          <div className="columns">
            <div className="stack">
              {tab === "Looks" && <Past monitor={monitor} />}
              {tab === "On the past" && <BackTested monitor={monitor} />}
              {tab === "Alerts" && <Opened monitor={monitor} />}
            </div>
            <About monitor={monitor} />
          </div>
        )}
      </Show>
    </Page>
  );
}

function Actions({ monitor }: { monitor: Monitor }) {
  const who = useWho();
  const navigate = useNavigate();
  const outcome = useOutcome();
  const [changing, setChanging] = useState(false);
  const [going, setGoing] = useState(false);
  const kinds = $api.useQuery("get", "/monitors/kinds", {});
  const call = { params: { path: { name: monitor.name } } };
  const turn = $api.useMutation("patch", "/monitors/{name}", outcome((made: Monitor) => (made.enabled ? "It is on, and looks at once." : "It is off."), { undo: (made) => turn.mutate({ ...call, body: { enabled: !made.enabled } }) }));
  const run = $api.useMutation("post", "/monitors/{name}/run", outcome((made: MonitorResult) => made.summary));
  const drop = $api.useMutation("delete", "/monitors/{name}", outcome("The monitor is deleted.", { quiet: true, done: () => void navigate({ to: "/monitors" }) }));
  if (!may(who.data, "monitor.write")) return null;
  return (
    <>
      <button type="button" className="btn danger" onClick={() => setGoing(true)}>
        Delete
      </button>
      <button type="button" className="btn" disabled={!kinds.data} onClick={() => setChanging(true)}>
        Change
      </button>
      <button type="button" className="btn" disabled={run.isPending} onClick={() => run.mutate(call)}>
        {run.isPending ? "Looking…" : "Look now"}
      </button>
      <button type="button" className={monitor.enabled ? "btn" : "btn primary"} disabled={turn.isPending} onClick={() => turn.mutate({ ...call, body: { enabled: !monitor.enabled } })}>
        Switch {monitor.enabled ? "off" : "on"}
      </button>
      {changing && kinds.data && <MonitorForm kinds={kinds.data} monitor={monitor} close={() => setChanging(false)} done={() => {}} />}
      {going && (
        <TypedName title="Delete the monitor" name={monitor.name} label="Delete" busy={drop.isPending} error={drop.error} close={() => setGoing(false)} go={() => drop.mutate(call)}>
          What it found goes with it; its alerts stay, and the open one is resolved.
        </TypedName>
      )}
    </>
  );
}

function Past({ monitor }: { monitor: Monitor }) {
  const query = $api.useQuery("get", "/monitors/{name}/results", { params: { path: { name: monitor.name }, query: { limit: 200 } } }, { refetchInterval: 15_000 });
  return (
    <Show query={query}>
      {(results) =>
        results.length === 0 ? (
          <Blank icon="clock" title="It has not looked yet" text="Switched on, it looks by itself; or look now." />
        ) : (
          <>
            <Card title="What it found">
              <Looks looks={results.toReversed()} threshold={results[0]!.threshold} label={`What ${monitor.name} found`} />
            </Card>
            <Table<MonitorResult>
              label="Looks"
              items={results.slice(0, 50)}
              id={(one) => one.at}
              columns={[
                { key: "at", label: "When", cell: (one) => <Time at={one.at} /> },
                { key: "state", label: "Found", cell: (one) => <Status state={one.state} label={one.state === "insufficient" ? "too little traffic" : undefined} /> },
                { key: "value", label: "Value", numeric: true, cell: (one) => figure(one.value) },
                { key: "n", label: "Of", numeric: true, cell: (one) => count(one.n) },
                { key: "summary", label: "In words", cell: (one) => one.summary },
              ]}
            />
          </>
        )
      }
    </Show>
  );
}

function BackTested({ monitor }: { monitor: Monitor }) {
  const [url, setUrl] = useUrl();
  const days = DAYS.find((one) => one === url.days) ?? "7";
  const call = { params: { path: { name: monitor.name } }, body: { days: Number(days) } };
  const query = $api.useQuery("post", "/monitors/{name}/backtest", call, { staleTime: 60_000, refetchOnWindowFocus: false });
  return (
    <Card title="What it would have found" actions={<><Segments value={days} options={DAYS} label="Days" onChange={(next) => setUrl({ days: next === "7" ? undefined : next })} /><span>days</span></>}>
      <Show query={query}>
        {(found) => (
          <div className="stack">
            <p>{found.summary}</p>
            <Looks looks={found.looks} threshold={monitor.last?.threshold} label={`What ${monitor.name} would have found`} height={240} />
            <p className="dim">One look every {figure(found.every_minutes)} minutes. Nothing is stored, and nobody is told.</p>
          </div>
        )}
      </Show>
    </Card>
  );
}

function Opened({ monitor }: { monitor: Monitor }) {
  const query = $api.useQuery("get", "/alerts", { params: { query: { monitor: monitor.name, limit: 100 } } });
  return (
    <Show query={query}>
      {(page) =>
        page.items.length === 0 ? (
          <Blank icon="check" title="It has opened no alert" />
        ) : (
          <Table<Alert>
            label="Alerts"
            items={page.items}
            id={(one) => one.id}
            columns={[
              { key: "state", label: "State", cell: (one) => <Status state={one.state} /> },
              { key: "first", label: "Opened", cell: (one) => <Link className="link" to="/alerts" search={{ peek: one.id } as never}><Time at={one.first_at} /></Link> },
              { key: "last", label: "Last seen", cell: (one) => <Time at={one.last_at} /> },
              { key: "count", label: "Times", numeric: true, cell: (one) => count(one.count) },
              { key: "summary", label: "In words", cell: (one) => one.summary },
            ]}
          />
        )
      }
    </Show>
  );
}

function About({ monitor }: { monitor: Monitor }) {
  const target = monitor.target.startsWith("release/") ? monitor.target : monitor.target && `deployment/${monitor.target}`;
  return (
    <div className="stack">
      <Stats
        items={[
          { label: "Value", value: figure(monitor.last?.value), note: monitor.last ? `of ${count(monitor.last.n)}` : undefined },
          { label: "Bound", value: figure(monitor.last?.threshold) },
        ]}
      />
      <Card title="What it watches">
        <KeyValues
          items={[
            ["Kind", words(monitor.kind)],
            ["Target", target ? <RefLink key="t" value={target} /> : "all traffic"],
            ["Environment", monitor.environment || "all"],
            ["Looks at", `the last ${duration(monitor.window_minutes * 60_000)}, every ${duration(monitor.every_minutes * 60_000)}`],
            ["Severity", <Status key="s" state={monitor.severity} />],
            ["Tells", monitor.channels.join(", ") || "every channel"],
            ["Sets going", monitor.actions.map(setsGoing).join(", ") || "nothing"],
            ["Created", <span key="c"><Time at={monitor.created_at} /> by {monitor.created_by}</span>],
          ]}
        />
      </Card>
      <Card title="Settings">
        <Facts value={monitor.settings} />
      </Card>
      {monitor.last && (
        <Card title="Last look">
          <div className="stack tight">
            <p>{monitor.last.summary}</p>
            {monitor.last.trace_ids?.map((id) => <RefLink key={id} value={`trace/${id}`} />)}
          </div>
        </Card>
      )}
    </div>
  );
}

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Monitor } from "../../api/types";
import { Blank, Status, Time } from "../../kit/basics";
import { Choose, Filters, holds, Words } from "../../kit/filters";
import { figure } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { Channels } from "./Channels";
import { words } from "./kinds";
import { MonitorForm } from "./MonitorForm";
import { Silences } from "./Silences";

export const TABS = ["Monitors", "Channels", "Silences"] as const;
const EXAMPLE = `mainspring channel create ops https://hooks.example.com/…
mainspring monitor create slow metric --target docs --no-enabled \\
  --settings '{"metric": "latency_p95", "bound": 2000}'
mainspring monitor backtest slow --days 7`;

export const stateOf = (monitor: Monitor) => (!monitor.enabled ? "paused" : (monitor.last?.state ?? "queued"));
const LABELS: Record<string, string> = { paused: "off", queued: "not looked yet", insufficient: "too little traffic" };

export function MonitorState({ monitor }: { monitor: Monitor }) {
  const state = stateOf(monitor);
  return <Status state={state} label={LABELS[state]} />;
}

const COLUMNS: Column<Monitor>[] = [
  { key: "state", label: "State", width: "136px", cell: (m) => <MonitorState monitor={m} /> },
  { key: "name", label: "Monitor", width: "minmax(140px,1fr)", cell: (m) => m.name },
  { key: "kind", label: "Watches", width: "minmax(140px,1fr)", cell: (m) => <span>{words(m.kind)} {typeof m.settings.metric === "string" && <span className="dim">{m.settings.metric}</span>}</span> },
  { key: "target", label: "Of", width: "minmax(120px,1fr)", cell: (m) => <span className="dim">{m.target || "all traffic"}{m.environment && ` in ${m.environment}`}</span> },
  { key: "value", label: "Value", width: "88px", numeric: true, cell: (m) => <span className="num">{figure(m.last?.value)}</span> },
  { key: "bound", label: "Bound", width: "88px", numeric: true, cell: (m) => <span className="num">{figure(m.last?.threshold)}</span> },
  { key: "severity", label: "Severity", width: "96px", cell: (m) => <Status state={m.severity} /> },
  { key: "every", label: "Every", width: "72px", numeric: true, cell: (m) => <span className="num">{m.every_minutes} min</span> },
  { key: "last", label: "Looked", width: "96px", cell: (m) => <Time at={m.last?.at} /> },
];

/** What is looked at again and again, where it is told, and when nobody is. */
export function MonitorList() {
  const who = useWho();
  const tab = useTab(TABS);
  const navigate = useNavigate();
  const [making, setMaking] = useState(false);
  const kinds = $api.useQuery("get", "/monitors/kinds", {});
  const label = { Monitors: "Create a monitor", Channels: "Create a channel", Silences: "Create a silence" }[tab];
  const writes = may(who.data, { Monitors: "monitor.write", Channels: "channel.write", Silences: "silence.write" }[tab]);
  return (
    <Page
      title="Monitors"
      flush
      tabs={<Tabs tabs={TABS} label="Parts of monitoring" current={tab} />}
      actions={<Primary may={writes} go={() => setMaking(true)}>{label}</Primary>}
    >
      {tab === "Monitors" && <Monitors />}
      {tab === "Channels" && <Channels making={making} close={() => setMaking(false)} />}
      {tab === "Silences" && <Silences making={making} close={() => setMaking(false)} />}
      {tab === "Monitors" && making && kinds.data && <MonitorForm kinds={kinds.data} close={() => setMaking(false)} done={(name) => void navigate({ to: `/monitors/${name}` })} />}
    </Page>
  );
}

function Monitors() {
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const query = $api.useInfiniteQuery("get", "/monitors", { params: { query: { limit: 100 } } }, { ...PAGES, refetchInterval: 15_000 });
  return (
    <>
      <Filters>
        <Words placeholder="Name, kind or target" />
        <Choose name="state" label="State" any="Any state" choices={["ok", "firing", { value: "insufficient", label: "too little traffic" }, { value: "paused", label: "off" }]} />
      </Filters>
      <List
        label="Monitors"
        noun="monitor"
        {...paged(query, (m) => holds(url.q, m.name, m.kind, m.target) && (!url.state || stateOf(m) === url.state))}
        columns={COLUMNS}
        id={(m) => m.name}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        open={(m) => void navigate({ to: `/monitors/${m.name}` })}
        blank={<Blank icon="alert" narrowed={Boolean(url.q || url.state) && "No monitor matches"} title="No monitors yet" text="A monitor looks at live calls again and again, and opens one alert while something is wrong. Try it on the past before it is switched on." code={EXAMPLE} />}
      />
    </>
  );
}

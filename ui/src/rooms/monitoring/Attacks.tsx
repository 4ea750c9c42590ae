import { $api } from "../../api/client";
import type { AttackCluster, KeyUse, Runaway } from "../../api/types";
import { Blank, Card, KeyValues, Status, Time } from "../../kit/basics";
import { Histogram, Shares } from "../../kit/chart";
import { count, figure, money, plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { paged, PAGES } from "../../kit/pages";
import { RefLink } from "../../shell/RefLink";

const TABS = ["Clusters", "Keys", "Runaways"] as const;

/** Attacks in live traffic: what guards found by what it says, keys that change their ways, answers without end. */
export function Attacks() {
  const tab = useTab(TABS);
  return (
    <Page title="Attacks" tabs={<Tabs tabs={TABS} label="Parts of the attacks" current={tab} />} flush={tab !== "Clusters"}>
      {tab === "Clusters" ? <Clusters /> : tab === "Keys" ? <Keys /> : <Runaways />}
    </Page>
  );
}

function Clusters() {
  const query = $api.useQuery("get", "/attacks/clusters", {});
  return (
    <Show query={query} lines={10}>
      {(found) =>
        found.clusters.length === 0 ? (
          <Blank
            icon="guard"
            title="The guard found nothing in the last 7 days"
            text={`${plural(found.looked_at, "call")} were looked at. Hits are grouped here by what they say, with the keys and users behind them.`}
            code={"mainspring guard create default policy.json\nmainspring attack clusters"}
          />
        ) : (
          <div className="stack">
            <p className="dim">
              {plural(found.hits, "hit")} among {plural(found.looked_at, "call")} of the last 7 days, grouped by {found.grouped_by === "kinds" ? "kind, since no text or no embedding model is there" : "meaning"}.
              {found.more && " There were more: the newest are shown."}
            </p>
            {found.clusters.slice(0, 40).map((one, index) => (
              <Cluster key={index} one={one} />
            ))}
          </div>
        )
      }
    </Show>
  );
}

function Cluster({ one }: { one: AttackCluster }) {
  const bins = (counts: Record<string, number>) => Object.entries(counts).map(([label, value]) => ({ label, value }));
  return (
    <Card title={one.name} label={`Cluster ${one.name}`} actions={<span className="tag">{plural(one.count, "call")}</span>}>
      <div className="columns wide">
        <ul className="stack tight examples" aria-label="Examples">
          {one.examples.map((example) => (
            <li key={example.trace_id}>
              <div className="row">
                <Status state={example.action || "log"} />
                <span className="dim">{example.kinds.join(", ")}</span>
                <Time at={example.at} />
                <RefLink value={`trace/${example.trace_id}`} />
              </div>
              <p className="clip">{example.text || <span className="faint">Its text is not kept.</span>}</p>
            </li>
          ))}
        </ul>
        <div className="stack">
          <Histogram label="Calls by day" height={96} bins={one.days.map((day) => ({ label: day.day.slice(5), value: day.count }))} />
          <Shares label="Kinds" items={bins(one.kinds).slice(0, 5)} />
          <KeyValues
            items={[
              ["Stood in", Object.entries(one.sources).map(([source, many]) => `${source} ${count(many)}`).join(", ")],
              ["Keys", Object.entries(one.keys).slice(0, 4).map(([key, many]) => `${key.slice(0, 12) || "none"} ${count(many)}`).join(", ")],
              ["Users", count(one.users)],
              ["Last", <Time key="l" at={one.last_at} />],
            ]}
          />
        </div>
      </div>
    </Card>
  );
}

const STATES: Record<KeyUse["state"], string> = { unusual: "firing", usual: "ok", new: "unset" };
const KEYS: Column<KeyUse>[] = [
  { key: "state", label: "Use", width: "104px", cell: (one) => <Status state={STATES[one.state]} label={one.state} /> },
  { key: "key", label: "Key", width: "minmax(140px,1fr)", cell: (one) => <code className="cut">{one.key_id}</code> },
  { key: "member", label: "Of", width: "minmax(100px,0.6fr)", cell: (one) => one.member || <span className="faint">gone</span> },
  { key: "why", label: "What is unusual", width: "minmax(240px,3fr)", cell: (one) => one.signals[0]?.sentence ?? <span className="faint">nothing</span> },
  { key: "requests", label: "Requests", width: "88px", numeric: true, cell: (one) => <span className="num">{count(one.requests)}</span> },
  { key: "tokens", label: "Tokens", width: "96px", numeric: true, cell: (one) => <span className="num">{count(one.tokens)}</span> },
  { key: "cost", label: "Cost", width: "88px", numeric: true, cell: (one) => <span className="num">{money(one.cost)}</span> },
];

function Keys() {
  const [url, setUrl] = useUrl();
  const query = $api.useInfiniteQuery("get", "/attacks/keys", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <List
      label="Keys of the last 24 hours"
      noun="key"
      {...paged(query)}
      columns={KEYS}
      id={(one) => one.key_id}
      selected={url.peek}
      select={(peek) => setUrl({ peek })}
      peekTitle={(one) => one.note || one.key_id}
      peek={(one) => <Signals one={one} />}
      blank={<Blank icon="key" title="No key was used in the last 24 hours" text="Every key is held against its own past: requests, tokens, cost, errors, guard hits, models and addresses." code={"mainspring attack keys --hours 24\nmainspring monitor create odd-keys keys --window-minutes 1440"} />}
    />
  );
}

function Signals({ one }: { one: KeyUse }) {
  return (
    <div className="stack">
      <KeyValues
        items={[
          ["Use", <Status key="s" state={STATES[one.state]} label={one.state} />],
          ["Key", <code key="k">{one.key_id}</code>],
          ["Of", one.member || "a key that is gone"],
          ["Held against", one.state === "new" ? "too little: it is new, or seldom used" : `${plural(one.windows, "window")}, ${count(one.active)} with calls`],
          ["New, no sign by itself", (one.news ?? []).map((news) => news.sentence).join(" ") || <span className="faint">nothing</span>],
        ]}
      />
      {one.signals.map((signal) => (
        <section key={signal.what} className="stack tight">
          <h3>{signal.what}</h3>
          <p>{signal.sentence}</p>
          <p className="dim">{`Chance ${figure(signal.chance)}, ${figure(signal.adjusted)} after correction for all that was looked at`}</p>
          <ul className="stack tight">
            {(signal.trace_ids ?? []).map((id) => (
              <li key={id}>
                <RefLink value={`trace/${id}`} />
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

const WHY: Record<Runaway["why"], string> = { long: "ran on", loop: "goes round in circles", calls: "too many calls" };
const RUNAWAYS: Column<Runaway>[] = [
  { key: "why", label: "What", width: "168px", cell: (one) => <Status state="warn" label={WHY[one.why]} /> },
  { key: "trace", label: "Trace", width: "minmax(180px,1fr)", cell: (one) => <RefLink value={`trace/${one.trace_id}`} /> },
  { key: "deployment", label: "Deployment", width: "minmax(100px,0.8fr)", cell: (one) => one.deployment || <span className="faint">–</span> },
  { key: "model", label: "Model", width: "minmax(120px,0.8fr)", cell: (one) => <span className="dim">{one.model}</span> },
  { key: "tokens", label: "Tokens out", width: "96px", numeric: true, cell: (one) => <span className="num">{count(one.output_tokens)}</span> },
  { key: "calls", label: "Calls", width: "72px", numeric: true, cell: (one) => <span className="num">{count(one.calls)}</span> },
  { key: "cost", label: "Cost", width: "88px", numeric: true, cell: (one) => <span className="num">{money(one.cost)}</span> },
  { key: "at", label: "At", width: "96px", cell: (one) => <Time at={one.at} /> },
];

function Runaways() {
  const query = $api.useInfiniteQuery("get", "/attacks/runaways", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <List
      label="Runaways of the last 7 days"
      noun="runaway"
      {...paged(query)}
      columns={RUNAWAYS}
      id={(one) => `${one.trace_id} ${one.why} ${one.at}`}
      blank={<Blank icon="check" title="Nothing ran away in the last 7 days" text="Answers of over 4,000 tokens, answers that repeat themselves, and traces of over 50 calls are listed here." code={"mainspring monitor create endless consumption"} />}
    />
  );
}

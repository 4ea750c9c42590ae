import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { $api } from "../../api/client";
import type { UsageHour } from "../../api/types";
import { Bar, Blank, Card, Snippet, Stats, Status, Time } from "../../kit/basics";
import { Histogram } from "../../kit/chart";
import { count, duration, money, plural, short } from "../../kit/format";
import { Icon, type IconName } from "../../kit/icons";
import { Page, Show } from "../../kit/page";
import { call } from "../serving/snippets";
import { may, useWho } from "../../shell/session";
import { Verified } from "../governance/Audit";
import { share } from "../tuning/progress";
import { subject } from "../tuning/subject";
import { hours, totals } from "./traffic";

const FRESH = { refetchInterval: 5_000 } as const;

/** What needs somebody now, what runs, and how the traffic is. */
export function Home() {
  return (
    <Page title="Home" badge={<Verified what="audit log: " />}>
      <div className="stack">
        <Traffic />
        <div className="columns">
          <Attention />
          <Running />
        </div>
      </div>
    </Page>
  );
}

function Traffic() {
  const since = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 23 * 3_600_000).toISOString();
  const query = $api.useQuery("get", "/traces/usage", { params: { query: { by: "deployment", hourly: true, since } } }, { refetchInterval: 10_000 });
  return (
    <Show query={query} lines={3}>
      {(rows) => {
        const sum = totals(rows as UsageHour[]);
        return (
          <>
            <Stats
              items={[
                { label: "Calls in 24 hours", value: short(sum.traces) },
                { label: "Errors", value: count(sum.errors), note: sum.spans ? `of ${plural(sum.spans, "span")}` : undefined },
                { label: "Mean latency", value: sum.spans ? duration(sum.mean_ms) : "–" },
                { label: "p95, slowest hour", value: sum.spans ? duration(sum.p95_ms) : "–" },
                { label: "Tokens", value: short(sum.input_tokens + sum.output_tokens) },
                { label: "Cost", value: money(sum.cost) },
              ]}
            />
            {sum.spans > 0 ? (
              <Card title="Calls by hour" actions={<Link to="/traces" className="link">all traces</Link>}>
                <Histogram label="Calls in each of the last 24 hours" bins={hours(rows as UsageHour[], new Date())} height={110} />
              </Card>
            ) : (
              <Begin />
            )}
          </>
        );
      }}
    </Show>
  );
}

/** The first steps of whoever has sent nothing yet. */
function Begin() {
  return (
    <Card title="Begin here">
      <ol className="begin">
        <li>
          <span>Bring in a model: a small one that answers on a CPU, or connect a <Link to="/providers" className="link">provider</Link>.</span>
          <Snippet code="mainspring model pull smollm2" />
        </li>
        <li>
          <span>Ask it something. The <Link to="/quickstart" className="link">quick start</Link> makes a key and holds the same for Python, JavaScript and OpenTelemetry.</span>
          <Snippet code={call("model/smollm2")} />
        </li>
        <li>
          <span>
            See what it did under <Link to="/traces" className="link">Traces</Link>, and try another wording in the <Link to="/playground" className="link">playground</Link>.
          </span>
        </li>
      </ol>
    </Card>
  );
}

interface Item {
  key: string;
  icon: IconName;
  state: string;
  text: ReactNode;
  to: string;
  search?: Record<string, string>;
  at: string;
}

function Attention() {
  const who = useWho();
  const alerts = $api.useQuery("get", "/alerts", { params: { query: { state: "open", limit: 20 } } }, { ...FRESH, enabled: may(who.data, "alert.read") });
  const reviews = $api.useQuery("get", "/releases", { params: { query: { state: "in_review", limit: 20 } } }, FRESH);
  const failed = $api.useQuery("get", "/runs", { params: { query: { state: "failed", limit: 5 } } }, FRESH);
  const loading = [alerts, reviews, failed].some((query) => query.isLoading);
  const items: Item[] = [
    ...(alerts.data?.items ?? []).map((alert): Item => ({ key: alert.id, icon: "alert", state: "open", text: <b>{alert.title}</b>, to: "/alerts", search: { peek: alert.id }, at: alert.last_at })),
    ...(reviews.data?.items ?? []).map((release): Item => ({
      key: release.ref,
      icon: "release",
      state: "in_review",
      text: (
        <>
          <b>{release.ref}</b> by {release.author} {release.author === who.data?.member ? "waits for another member" : "awaits your approval"}
        </>
      ),
      to: `/releases/${release.name}`,
      search: { version: String(release.number) },
      at: release.changed_at,
    })),
    ...(failed.data?.items ?? []).map((run): Item => ({
      key: run.id,
      icon: "run",
      state: "failed",
      text: (
        <>
          <b>{run.kind}</b> {String(run.error?.message ?? "")}
        </>
      ),
      to: `/runs/${run.id}`,
      at: run.finished_at ?? run.created_at,
    })),
  ];
  return (
    <Card title="Needs attention" flush actions={items.length > 0 && <span className="nav-count">{items.length}</span>}>
      {items.length === 0 ? (
        <Blank small icon={loading ? "clock" : "check"} title={loading ? "Looking…" : "Nothing needs you"} text={loading ? undefined : "No open alert, no release in review, no failed run."} />
      ) : (
        <ul className="feed">
          {items.map((item) => (
            <li key={item.key}>
              <Link to={item.to} search={item.search as never}>
                <Icon name={item.icon} />
                <Status state={item.state} />
                <span className="grow cut">{item.text}</span>
                <Time at={item.at} />
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Running() {
  const query = $api.useQuery("get", "/runs", { params: { query: { limit: 8 } } }, { refetchInterval: 2_000 });
  return (
    <Card title="Runs" flush actions={<Link to="/runs" className="link">all runs</Link>}>
      <Show query={query} lines={4}>
        {(page) =>
          page.items.length === 0 ? (
            <Blank small icon="run" title="No runs yet" />
          ) : (
            <ul className="feed">
              {page.items.map((run) => (
                <li key={run.id}>
                  <Link to={`/runs/${run.id}`}>
                    <Status state={run.state} />
                    <span className="grow cut">
                      <b>{run.kind}</b> <span className="dim">{subject(run)}</span>
                    </span>
                    {run.state === "running" ? (
                      <span style={{ width: 72 }}>
                        <Bar share={share(run)} label={`Progress of ${run.kind}`} />
                      </span>
                    ) : (
                      <Time at={run.created_at} />
                    )}
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </Show>
    </Card>
  );
}

import { Link, useParams } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Deployment, UsageHour } from "../../api/types";
import { Blank, Card, KeyValues, Snippet, Status, Time } from "../../kit/basics";
import { count, duration, money, percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Page, Show } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { CanaryCard } from "./CanaryCard";
import { useEnvironment } from "./DeploymentList";
import { RefreshCard } from "./RefreshCard";

/** One deployment: how its traffic is split, how each release does, and every move that was made. */
export function DeploymentPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const [url] = useUrl();
  const who = useWho();
  const environment = useEnvironment(url.environment);
  const query = $api.useQuery("get", "/deployments/{name}", { params: { path: { name }, query: { environment } } });
  const now = query.data;
  return (
    <Page
      title={name}
      crumbs={[{ label: "Deployments", to: "/deployments" }]}
      badge={
        <>
          {now && <Status state={now.canary && now.state === "active" ? "canary" : now.state} />}
          <span className="tag">{now?.environment ?? environment}</span>
        </>
      }
      actions={
        now && (
          <>
            {may(who.data, "loadtest.write") && now.environment === who.data?.environment && (
              <Link className="btn" to="/loadtests" search={{ new: "1", deployment: name } as never}>
                Run a load test
              </Link>
            )}
            <Actions deployment={now} />
          </>
        )
      }
    >
      <Show query={query}>{(deployment) => <Body deployment={deployment} />}</Show>
    </Page>
  );
}

function Actions({ deployment }: { deployment: Deployment }) {
  const who = useWho();
  const outcome = useOutcome();
  const promote = $api.useMutation("post", "/deployments/{name}/promote", outcome("The canary is the baseline now."));
  const rollback = $api.useMutation("post", "/deployments/{name}/rollback", outcome("Rolled back."));
  const pause = $api.useMutation("post", "/deployments/{name}/pause", outcome("Paused: calls are refused until it is resumed."));
  const resume = $api.useMutation("post", "/deployments/{name}/resume", outcome("It answers again."));
  if (!may(who.data, "deployment.write")) return null;
  const call = { params: { path: { name: deployment.name } }, body: { environment: deployment.environment, note: "" } };
  const busy = promote.isPending || rollback.isPending || pause.isPending || resume.isPending;
  return (
    <>
      {deployment.state === "active" ? (
        <button type="button" className="btn" disabled={busy} onClick={() => pause.mutate(call)}>
          Pause
        </button>
      ) : (
        <button type="button" className="btn" disabled={busy} onClick={() => resume.mutate(call)}>
          Resume
        </button>
      )}
      {(deployment.canary || deployment.previous) && (
        <button type="button" className="btn" disabled={busy} onClick={() => rollback.mutate(call)}>
          {deployment.canary ? "Take the canary away" : "Roll back"}
        </button>
      )}
      {deployment.canary && (
        <button type="button" className="btn primary" disabled={busy} onClick={() => promote.mutate(call)}>
          Promote the canary
        </button>
      )}
    </>
  );
}

function Body({ deployment }: { deployment: Deployment }) {
  return (
    <div className="columns">
      <div className="stack">
        <Split deployment={deployment} />
        <CanaryCard deployment={deployment} />
        <RefreshCard deployment={deployment} />
        <Traffic deployment={deployment} />
        <History deployment={deployment} />
      </div>
      <div className="stack">
        <Card title="Now">
          <KeyValues
            items={[
              ["Baseline", <RefLink key="b" value={deployment.baseline} />],
              ["Canary", deployment.canary ? <RefLink key="c" value={deployment.canary} /> : <span className="faint">none</span>],
              ["Shadow", deployment.shadow ? <span key="s"><RefLink value={deployment.shadow} /> {percent(deployment.shadow_share, 0)}</span> : <span className="faint">none</span>],
              ["Before", deployment.previous ? <RefLink key="p" value={deployment.previous} /> : <span className="faint">none</span>],
              ["Revision", count(deployment.revision)],
              ["Moved", <Time key="t" at={deployment.moved_at} />],
              ["By", deployment.moved_by],
            ]}
          />
        </Card>
        <Card title="Call it">
          <Snippet
            code={`from openai import OpenAI

client = OpenAI(
    base_url="${location.origin}/v1", api_key="ms_…")
client.chat.completions.create(
    model="${deployment.name}",
    messages=[{"role": "user", "content": "…"}])`}
          />
        </Card>
      </div>
    </div>
  );
}

function Split({ deployment }: { deployment: Deployment }) {
  const canary = deployment.canary ? deployment.weight : 0;
  return (
    <Card title="Traffic split">
      <div className="split" role="img" aria-label={`Baseline ${percent(1 - canary, 0)}, canary ${percent(canary, 0)}`}>
        <i style={{ flexGrow: 1 - canary, background: "var(--s1)" }} />
        {canary > 0 && <i style={{ flexGrow: canary, background: "var(--s2)" }} />}
      </div>
      <div className="legend" style={{ marginTop: 8, marginBottom: 0 }}>
        <span>
          <i style={{ background: "var(--s1)" }} />
          {deployment.baseline} <b>{percent(1 - canary, 0)}</b>
        </span>
        {canary > 0 && (
          <span>
            <i style={{ background: "var(--s2)" }} />
            {deployment.canary} <b>{percent(canary, 0)}</b>
          </span>
        )}
      </div>
    </Card>
  );
}

function Traffic({ deployment }: { deployment: Deployment }) {
  const query = $api.useQuery(
    "get",
    "/traces/usage",
    { params: { query: { by: "deployment,release", hourly: false, deployment: deployment.name, environment: deployment.environment } } },
    { refetchInterval: 10_000 },
  );
  return (
    <Card title="Traffic of the last 7 days" flush actions={<Link className="link" to="/traces" search={{ deployment: deployment.name } as never}>traces</Link>}>
      <Show query={query} lines={3}>
        {(rows) =>
          rows.length === 0 ? (
            <Blank small icon="traces" title="No calls yet" />
          ) : (
            <Table<UsageHour>
              label="Traffic by release"
              items={rows}
              id={(row) => row.release}
              columns={[
                { key: "release", label: "Release", cell: (row) => (row.release ? <RefLink value={row.release} /> : "–") },
                { key: "calls", label: "Calls", numeric: true, cell: (row) => count(row.traces) },
                { key: "errors", label: "Errors", numeric: true, cell: (row) => count(row.errors) },
                { key: "p50", label: "p50", numeric: true, cell: (row) => duration(row.p50_ms) },
                { key: "p95", label: "p95", numeric: true, cell: (row) => duration(row.p95_ms) },
                { key: "tokens", label: "Tokens out", numeric: true, cell: (row) => count(row.output_tokens) },
                { key: "cost", label: "Cost", numeric: true, cell: (row) => money(row.cost) },
              ]}
            />
          )
        }
      </Show>
    </Card>
  );
}

function History({ deployment }: { deployment: Deployment }) {
  const query = $api.useQuery("get", "/deployments/{name}/history", {
    params: { path: { name: deployment.name }, query: { environment: deployment.environment, limit: 100 } },
  });
  return (
    <Card title="History" flush>
      <Show query={query} lines={3}>
        {(page) => (
          <Table<Deployment>
            label="Moves"
            items={page.items}
            id={(move) => String(move.revision)}
            columns={[
              { key: "n", label: "Revision", numeric: true, cell: (move) => move.revision },
              { key: "action", label: "Move", cell: (move) => move.action },
              { key: "baseline", label: "Baseline", cell: (move) => <RefLink value={move.baseline} /> },
              { key: "canary", label: "Canary", cell: (move) => (move.canary ? <span><RefLink value={move.canary} /> {percent(move.weight, 0)}</span> : "–") },
              { key: "by", label: "By", cell: (move) => move.moved_by },
              { key: "at", label: "When", cell: (move) => <Time at={move.moved_at} /> },
              { key: "note", label: "Note", cell: (move) => move.note },
            ]}
          />
        )}
      </Show>
    </Card>
  );
}

import { useState } from "react";
import { $api } from "../../api/client";
import type { Deployment, Refresh, RefreshCheck, RefreshFinding, RefreshPolicy } from "../../api/types";
import { Blank, Card, Status, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { count, duration } from "../../kit/format";
import { Table } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Show } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { RefreshEnd } from "./RefreshEnd";
import { RefreshForm } from "./RefreshForm";

const CONDITIONS: Record<RefreshFinding["kind"], string> = { schedule: "Schedule", drift: "Drift", volume: "New data", feedback: "Feedback", score: "Score", alert: "Alert", request: "Request" };
const hours = (many: number) => duration(many * 3_600_000);

/** When the deployment's model is to be tuned anew: what its policy looks at, what is due and why, and what came of it. */
export function RefreshCard({ deployment }: { deployment: Deployment }) {
  const { name, environment } = deployment;
  const policies = $api.useQuery("get", "/refresh-policies", { params: { query: { environment, limit: 1000 } } });
  const past = $api.useQuery("get", "/refreshes", { params: { query: { deployment: name, environment, limit: 20 } } }, { refetchInterval: 30_000 });
  const latest = past.data?.items[0];
  const who = useWho();
  const [setting, setSetting] = useState(false);
  const own = policies.data?.items.find((one) => one.deployment === name);
  return (
    <Card
      title={<>Refresh {latest && <Status state={latest.state} />}</>}
      label="Refresh"
      actions={
        policies.data &&
        may(who.data, "deployment.write") && (
          <>
            {own && past.data && !(latest && isUnderWay(latest)) && <Ask deployment={deployment} />}
            <button type="button" className="btn quiet" onClick={() => setSetting(true)}>
              {own ? "Change its policy" : "Set a policy"}
            </button>
          </>
        )
      }
    >
      {setting && <RefreshForm deployment={deployment} policy={own} close={() => setSetting(false)} />}
      <Show query={policies} lines={4}>
        {() => {
          const policy = own;
          return (
            <Show query={past} lines={4}>
              {(history) =>
                policy || history.items.length > 0 ? (
                  <div className="stack">
                    {latest && isUnderWay(latest) && <UnderWay refresh={latest} />}
                    {policy ? <Now policy={policy} /> : <p className="dim">There is no policy any more.</p>}
                    {history.items.length > 0 && <History items={history.items} />}
                  </div>
                ) : (
                  <Blank
                    small
                    icon="clock"
                    title="No refresh policy"
                    text="A policy says when the model is to be tuned anew: by the clock, on drift, on new data or feedback, or once a score has dropped."
                    code={`mainspring refresh set ${name} --environment ${environment} \\\n  --every-hours 720 --score helpful --score-drop 0.05`}
                  />
                )
              }
            </Show>
          );
        }}
      </Show>
    </Card>
  );
}

const isUnderWay = (one: Refresh) => one.state === "due" || one.state === "started";

/** The one that is due or under way, and who takes it on. */
function UnderWay({ refresh }: { refresh: Refresh }) {
  const who = useWho();
  const outcome = useOutcome();
  const [ending, setEnding] = useState(false);
  const start = $api.useMutation("post", "/refreshes/{id}/start", outcome("It is yours: tune, evaluate, and say what came of it."));
  return (
    <div className="stack tight">
      <p>
        {refresh.state === "due" ? (
          <>
            Due since <Time at={refresh.due_at} />: {refresh.reason}
          </>
        ) : (
          <>
            {refresh.started_by} started it <Time at={refresh.started_at} />: {refresh.reason}
          </>
        )}
      </p>
      {may(who.data, "deployment.write") && (
        <div className="row wrap">
          {refresh.state === "due" && (
            <button type="button" className="btn primary" disabled={start.isPending} onClick={() => start.mutate({ params: { path: { id: refresh.id } }, body: { note: "" } })}>
              Start it
            </button>
          )}
          <button type="button" className="btn" onClick={() => setEnding(true)}>
            Say what came of it
          </button>
        </div>
      )}
      {ending && <RefreshEnd refresh={refresh} close={() => setEnding(false)} />}
    </div>
  );
}

/** Asks for a refresh whatever the policy waits for. */
function Ask({ deployment }: { deployment: Deployment }) {
  const outcome = useOutcome();
  const ask = $api.useMutation("post", "/deployments/{deployment}/refresh/request", outcome("A refresh is due, because you asked for it."));
  return (
    <button
      type="button"
      className="btn quiet"
      disabled={ask.isPending}
      onClick={() => ask.mutate({ params: { path: { deployment: deployment.name } }, body: { environment: deployment.environment, note: "" } })}
    >
      Ask for one now
    </button>
  );
}

/** What the policy looks at, with what each condition finds just now. */
function Now({ policy }: { policy: RefreshPolicy }) {
  const query = $api.useQuery(
    "get",
    "/deployments/{deployment}/refresh/check",
    { params: { path: { deployment: policy.deployment }, query: { environment: policy.environment } } },
    { refetchInterval: 60_000 },
  );
  const { terms } = policy;
  const waits = [
    `${hours(terms.cooldown_hours ?? 24)} between two`,
    `at most ${count(terms.max_per_week ?? 2)} a week`,
    ...(terms.quiet_hours ? [`none at ${terms.quiet_hours.replace("-", " to ")} o'clock UTC`] : []),
  ];
  return (
    <>
      <Show query={query} lines={3}>
        {(check) => (
          <>
            {check.held_back && check.due && <p className="notice">A condition holds, and waits: {check.held_back}</p>}
            <Findings check={check} />
          </>
        )}
      </Show>
      <p className="dim">
        One condition that holds is enough; {waits.join(", ")}. {terms.dry_run && "It is a dry run: what would be due is noted, and nobody is told. "}
        {policy.checked_at ? (
          <>
            Looked at <Time at={policy.checked_at} />,{" "}
          </>
        ) : (
          "Not looked at yet, "
        )}
        set by {policy.changed_by} <Time at={policy.changed_at} />.
      </p>
    </>
  );
}

function Findings({ check }: { check: RefreshCheck }) {
  return (
    <Table<RefreshFinding>
      label="Conditions"
      items={check.findings}
      id={(one) => one.kind}
      columns={[
        { key: "met", label: "Holds", cell: (one) => <Status state={one.met ? "due" : "unset"} label={one.met ? "yes" : "no"} /> },
        { key: "kind", label: "Condition", cell: (one) => CONDITIONS[one.kind] },
        { key: "summary", label: "Just now", cell: (one) => <Found finding={one} /> },
      ]}
    />
  );
}

function Found({ finding }: { finding: RefreshFinding }) {
  const evidence = finding.evidence ?? {};
  return (
    <>
      {finding.summary}
      {Object.keys(evidence).length > 0 && (
        <details>
          <summary>Its numbers</summary>
          <Facts value={evidence} />
        </details>
      )}
    </>
  );
}

function History({ items }: { items: Refresh[] }) {
  return (
    <Table<Refresh>
      label="Refreshes"
      items={items}
      id={(one) => one.id}
      columns={[
        { key: "state", label: "So far", cell: (one) => <Status state={one.state} /> },
        { key: "due", label: "Due", cell: (one) => <Time at={one.due_at} /> },
        { key: "reason", label: "Why", cell: (one) => one.reason },
        { key: "by", label: "Ended by", cell: (one) => (one.ended_at ? <span>{one.ended_by} <Time at={one.ended_at} /></span> : one.started_by ? <span className="dim">{one.started_by} is at it</span> : "–") },
        { key: "outcome", label: "Outcome", cell: (one) => (one.outcome ? <RefLink value={one.outcome} /> : "–") },
        { key: "note", label: "Note", cell: (one) => one.note },
      ]}
    />
  );
}

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Alert } from "../../api/types";
import { KeyValues, Status, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { Field } from "../../kit/Dialog";
import { useOutcome } from "../../kit/outcome";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { SilenceForm } from "./Silences";

interface Change {
  action: string;
  baseline: string;
  canary: string | null;
  at: string;
  by: string;
}

interface Taken {
  do: string;
  queue: string;
  set_by?: string;
  result: string;
  at: string;
}

/** An alert: what was found, what may be the cause, what was set going, and who looks after it. */
export function AlertDetail({ alert }: { alert: Alert }) {
  const { changes, actions, ...rest } = alert.detail as { changes?: Change[]; actions?: Taken[] };
  return (
    <div className="stack">
      <p>{alert.summary}</p>
      {alert.state !== "resolved" && <Care alert={alert} />}
      <KeyValues
        items={[
          ["State", <Status key="s" state={alert.state} />],
          ["Monitor", <Link key="m" className="link" to={`/monitors/${alert.monitor}`}>{alert.monitor}</Link>],
          ["Target", alert.target ? <RefLink key="t" value={alert.target.startsWith("release/") ? alert.target : `deployment/${alert.target}`} /> : "all traffic"],
          ["Environment", alert.environment || "all"],
          ["First seen", <Time key="f" at={alert.first_at} />],
          ["Last seen", <Time key="l" at={alert.last_at} />],
          ...(alert.acknowledged_by ? ([["Acknowledged", <span key="a">by {alert.acknowledged_by} <Time at={alert.acknowledged_at} /></span>]] as [string, React.ReactNode][]) : []),
          ...(alert.resolved_by ? ([["Resolved", <span key="r">by {alert.resolved_by} <Time at={alert.resolved_at} /></span>]] as [string, React.ReactNode][]) : []),
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
      {changes && changes.length > 0 && <Changes changes={changes} />}
      {actions && actions.length > 0 && <Actions taken={actions} />}
      <h3>What was measured</h3>
      <Facts value={rest} />
    </div>
  );
}

function Care({ alert }: { alert: Alert }) {
  const who = useWho();
  const outcome = useOutcome();
  const [note, setNote] = useState("");
  const [quiet, setQuiet] = useState(false);
  const acknowledge = $api.useMutation("post", "/alerts/{alert_id}/acknowledge", outcome("Acknowledged.", { done: () => setNote("") }));
  const resolve = $api.useMutation("post", "/alerts/{alert_id}/resolve", outcome("Resolved."));
  const call = { params: { path: { alert_id: alert.id } }, body: { note } };
  return (
    <>
      {may(who.data, "alert.write") && (
        <>
          <Field label="Note">
            <input className="input" value={note} maxLength={2000} placeholder="What you know of it" onChange={(event) => setNote(event.target.value)} />
          </Field>
          <div className="row">
            {alert.state === "open" && (
              <button type="button" className="btn" disabled={acknowledge.isPending} onClick={() => acknowledge.mutate(call)}>
                Acknowledge
              </button>
            )}
            <button type="button" className="btn primary" disabled={resolve.isPending} onClick={() => resolve.mutate(call)}>
              Resolve
            </button>
            {may(who.data, "silence.write") && (
              <button type="button" className="btn" onClick={() => setQuiet(true)}>
                Silence
              </button>
            )}
          </div>
        </>
      )}
      {quiet && <SilenceForm close={() => setQuiet(false)} first={{ monitor: alert.monitor }} />}
    </>
  );
}

function Changes({ changes }: { changes: Change[] }) {
  return (
    <>
      <h3>How the deployment was moved in the two days before</h3>
      <ul className="history">
        {changes.map((one) => (
          <li key={one.at}>
            {one.action}: <RefLink value={one.baseline} /> {one.canary && <>with <RefLink value={one.canary} /></>}{" "}
            <span className="dim">
              <Time at={one.at} /> by {one.by}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Actions({ taken }: { taken: Taken[] }) {
  return (
    <>
      <h3>What was set going</h3>
      <ul className="history">
        {taken.map((one) => (
          <li key={one.at + one.do}>
            {one.result}{" "}
            <span className="dim">
              <Time at={one.at} />
              {one.set_by && `, set by ${one.set_by}`}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

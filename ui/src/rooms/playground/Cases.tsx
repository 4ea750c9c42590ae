import { Link } from "@tanstack/react-router";
import type { PromptVariable } from "../../api/types";
import { Status } from "../../kit/basics";
import { count, duration, money } from "../../kit/format";
import { Icon } from "../../kit/icons";
import type { Answer, Case } from "./state";

/** The values of one case, each typed as its variable asks for. */
export function Values(props: { one: Case; number: number; variables: [string, PromptVariable][]; change: (one: Case) => void; remove?: () => void }) {
  const { one, variables } = props;
  const set = (name: string, value: string) => props.change({ ...one, values: { ...one.values, [name]: value } });
  return (
    <section className="case" aria-label={`Case ${props.number}`}>
      <header className="row">
        <h2>Case {props.number}</h2>
        {one.origin && <span className="faint cut">{one.origin}</span>}
        {props.remove && (
          <button type="button" className="btn icon quiet" aria-label={`Remove case ${props.number}`} onClick={props.remove}>
            <Icon name="cross" size={14} />
          </button>
        )}
      </header>
      {variables.length === 0 && <p className="faint">The prompts have no variables.</p>}
      {variables.map(([name, variable]) => (
        <label key={name} className="field">
          <span>
            {name} <small className="faint">{hint(variable)}</small>
          </span>
          {variable.type === "boolean" ? (
            <select className="select" value={one.values[name] ?? ""} onChange={(event) => set(name, event.target.value)}>
              <option value="">not given</option>
              <option value="true">true</option>
              <option value="false">false</option>
            </select>
          ) : (
            <textarea className="area" rows={2} value={one.values[name] ?? ""} onChange={(event) => set(name, event.target.value)} />
          )}
        </label>
      ))}
      {one.reference && (
        <details>
          <summary>Reference answer</summary>
          <pre className="code" tabIndex={0}>
            {one.reference}
          </pre>
        </details>
      )}
    </section>
  );
}

function hint(variable: PromptVariable): string {
  const type = variable.type && variable.type !== "text" ? variable.type : "";
  const given = variable.default != null ? `default ${JSON.stringify(variable.default)}` : variable.required === false ? "optional" : "";
  return [type, given].filter(Boolean).join(", ");
}

/** What one variant answered to one case, with what it took. */
export function AnswerCell(props: { answer: Answer | undefined; label: string; keep?: () => void }) {
  const { answer } = props;
  if (!answer) return <section className="answer faint" aria-label={props.label}>Not asked yet.</section>;
  return (
    <section className="answer" aria-label={props.label} aria-busy={answer.state === "running"}>
      {answer.text && <div className="answer-text">{answer.text}</div>}
      {answer.state === "running" && !answer.text && <Status state="running" label="waiting for the first token" />}
      {answer.state === "failed" && (
        <p className="notice error" role="alert">
          <Icon name="warn" size={14} />
          <span>{answer.error}</span>
        </p>
      )}
      {answer.state !== "running" && (
        <footer className="row">
          <span title="From the click to the last token">{duration(answer.latency)}</span>
          {answer.ttft != null && <span title="To the first token">first {duration(answer.ttft)}</span>}
          {answer.output != null && (
            <span>
              {count(answer.input)} in, {count(answer.output)} out
            </span>
          )}
          {answer.output != null && <span title={answer.cost == null ? "The model has no price" : undefined}>{answer.cost == null ? "no price" : money(answer.cost)}</span>}
          {answer.traceId && (
            <Link className="link" to={`/traces/${answer.traceId}`}>
              trace
            </Link>
          )}
          {props.keep && answer.state === "done" && (
            <button type="button" className="btn quiet" onClick={props.keep}>
              Add to a dataset
            </button>
          )}
        </footer>
      )}
    </section>
  );
}

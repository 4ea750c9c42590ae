import { useState } from "react";
import { $api } from "../../api/client";
import type { Draw, Evaluator, EvaluatorChoice } from "../../api/types";
import { Time } from "../../kit/basics";
import { Field, FormDialog, NameField, Refused } from "../../kit/Dialog";
import { count, figure } from "../../kit/format";
import { Table } from "../../kit/list";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { RefLink } from "../../shell/RefLink";
import { useWho } from "../../shell/session";

interface Draft {
  name: string;
  metric: string;
  score: string;
  rate: string;
  most: string;
  choice: Required<EvaluatorChoice>;
}

/** Makes an evaluator, or changes what one draws; which calls that would be is shown before. */
export function EvaluatorForm({ evaluator, close, done }: { evaluator?: Evaluator; close: () => void; done: (name: string) => void }) {
  const who = useWho();
  const outcome = useOutcome();
  const [draft, setDraft] = useState<Draft>(() => begin(evaluator, who.data?.environment ?? ""));
  const set = (more: Partial<Draft>) => setDraft({ ...draft, ...more });
  const judges = $api.useQuery("get", "/scorers/versions/{kind}", { params: { path: { kind: "judge" }, query: { limit: 500 } } });
  const codes = $api.useQuery("get", "/scorers/versions/{kind}", { params: { path: { kind: "code" }, query: { limit: 500 } } });
  const built = $api.useQuery("get", "/scorers", {});
  const finish = (made: Evaluator) => {
    close();
    done(made.name);
  };
  const create = $api.useMutation("post", "/evaluators", outcome((made: Evaluator) => `${made.name} scores from now on.`, { done: finish, quiet: true }));
  const update = $api.useMutation("patch", "/evaluators/{name}", outcome("Changed.", { done: finish, quiet: true }));
  const preview = $api.useMutation("post", "/evaluators/preview");
  const rate = Number(draft.rate) / 100;
  const most = draft.most.trim() === "" ? null : Number(draft.most);
  const drawing = rate > 0 && rate <= 1;
  const ready = NAME.test(draft.name) && draft.metric.trim() !== "" && drawing && (most === null || most > 0);
  const submit = () => {
    const shared = { metric: draft.metric.trim(), choice: draft.choice, rate, max_cost_per_day: most };
    if (evaluator) update.mutate({ params: { path: { name: evaluator.name } }, body: { ...shared, metric: shared.metric === evaluator.metric ? null : shared.metric } });
    else create.mutate({ body: { ...shared, name: draft.name, score: draft.score.trim() || null } });
  };
  return (
    <FormDialog
      title={evaluator ? `Change ${evaluator.name}` : "Create an evaluator"}
      close={close}
      size={760}
      stays
      ready={ready && !create.isPending && !update.isPending}
      label={evaluator ? "Change" : "Create"}
      error={create.error ?? update.error}
      go={submit}
    >
      <div className="pair">
        {!evaluator && (
          <NameField value={draft.name} set={(name) => set({ name })} placeholder="helpful" />
        )}
        <Field label="Scorer" note="A judge, code, a pattern: any that needs no right answer.">
          <input className="input mono" list="scorers" value={draft.metric} placeholder="judge:helpful" onChange={(event) => set({ metric: event.target.value })} />
          <datalist id="scorers">
            {judges.data?.items.map((one) => <option key={`j${one.name}`} value={`judge:${one.name}`} />)}
            {codes.data?.items.map((one) => <option key={`c${one.name}`} value={`code:${one.name}`} />)}
            {built.data?.map((one) => (
              <option key={one.name} value={one.name} />
            ))}
          </datalist>
        </Field>
        {!evaluator && (
          <Field label="Scores are named">
            <input className="input" value={draft.score} placeholder={draft.name || "as the evaluator"} onChange={(event) => set({ score: event.target.value })} />
          </Field>
        )}
      </div>
      <Which choice={draft.choice} set={(more) => set({ choice: { ...draft.choice, ...more } })} />
      <div className="pair">
        <Field label="Share of them (%)">
          <input className="input num" inputMode="decimal" value={draft.rate} onChange={(event) => set({ rate: event.target.value })} />
        </Field>
        <Field label="Judges may cost a day (US dollars)" note={evaluator ? "Empty leaves it as it is." : "What waits goes on the next day."}>
          <input className="input num" inputMode="decimal" value={draft.most} placeholder={evaluator?.max_cost_per_day ? String(evaluator.max_cost_per_day) : "no bound"} onChange={(event) => set({ most: event.target.value })} />
        </Field>
      </div>
      <section className="card" aria-label="What would be drawn">
        <header>
          <h2>What would be drawn</h2>
          <div className="page-actions">
            <button type="button" className="btn" disabled={!drawing || preview.isPending} onClick={() => preview.mutate({ body: { choice: draft.choice, rate, name: evaluator?.name ?? null, hours: 24 } })}>
              {preview.isPending ? "Looking…" : "Look at the last day"}
            </button>
          </div>
        </header>
        <div className="inner">
          <Drawn found={preview.data} />
          <Refused error={preview.error} />
        </div>
      </section>
    </FormDialog>
  );
}

function begin(evaluator: Evaluator | undefined, environment: string): Draft {
  const usual = { target: "", environment, service: "", status: "ok" as const, query: "", min_duration_ms: 0, traffic: "live" as const };
  return {
    name: evaluator?.name ?? "",
    metric: evaluator?.metric ?? "",
    score: evaluator?.score ?? "",
    rate: evaluator ? String(Number((evaluator.rate * 100).toPrecision(6))) : "10",
    most: evaluator?.max_cost_per_day == null ? "" : String(evaluator.max_cost_per_day),
    choice: { ...usual, ...evaluator?.choice },
  };
}

/** Which calls it looks at. */
function Which({ choice, set }: { choice: Draft["choice"]; set: (more: Partial<Draft["choice"]>) => void }) {
  return (
    <fieldset className="plain">
      <legend>Which calls it draws from</legend>
      <div className="pair">
        <Field label="Target">
          <input className="input" value={choice.target} placeholder="all traffic" onChange={(event) => set({ target: event.target.value })} />
        </Field>
        <Field label="Environment">
          <input className="input" value={choice.environment} placeholder="all" onChange={(event) => set({ environment: event.target.value })} />
        </Field>
        <Field label="Service">
          <input className="input" value={choice.service} placeholder="any" onChange={(event) => set({ service: event.target.value })} />
        </Field>
        <Field label="How they ended">
          <select className="select" value={choice.status} onChange={(event) => set({ status: event.target.value as Draft["choice"]["status"] })}>
            <option value="">either way</option>
            <option value="ok">well</option>
            <option value="error">with an error</option>
          </select>
        </Field>
        <Field label="Traffic" note="Live leaves out playground, experiments, load tests and shadows.">
          <select className="select" value={choice.traffic} onChange={(event) => set({ traffic: event.target.value as Draft["choice"]["traffic"] })}>
            <option value="live">live</option>
            <option value="all">all</option>
          </select>
        </Field>
        <Field label="Words in the call">
          <input className="input" value={choice.query} placeholder="any" onChange={(event) => set({ query: event.target.value })} />
        </Field>
        <Field label="Took at least (ms)">
          <input className="input num" inputMode="decimal" value={choice.min_duration_ms || ""} placeholder="0" onChange={(event) => set({ min_duration_ms: Number(event.target.value) || 0 })} />
        </Field>
      </div>
    </fieldset>
  );
}

function Drawn({ found }: { found: Draw | undefined }) {
  if (!found) return <p className="dim">See which calls fit, and how many a day would be scored. Nothing is scored, and nothing is paid for.</p>;
  return (
    <div className="stack tight">
      <p>
        {count(found.drawn)} of {count(found.fitting)} calls that fit in {figure(found.hours)} hours would be drawn: about {figure(found.per_day)} a day.
        {found.more && " There were more than could be looked at."}
      </p>
      {found.calls.length > 0 && (
        <Table
          label="Calls that would be drawn"
          items={found.calls.slice(0, 5)}
          id={(one) => one.trace_id}
          columns={[
            { key: "at", label: "When", cell: (one) => <Time at={one.at} /> },
            { key: "asked", label: "Asked", cell: (one) => one.question || "–" },
            { key: "trace", label: "Trace", cell: (one) => <RefLink value={`trace/${one.trace_id}`} /> },
          ]}
        />
      )}
    </div>
  );
}

import { useState } from "react";
import { $api } from "../../api/client";
import type { ScorerVersion } from "../../api/types";
import { Blank, Card } from "../../kit/basics";
import { Field, Refused } from "../../kit/Dialog";
import { figure } from "../../kit/format";
import { Table } from "../../kit/list";

/** Scores one answer, so that a rubric can be judged before it judges. */
export function TryScorer({ scorer }: { scorer: ScorerVersion }) {
  const [form, setForm] = useState({ question: "", answer: "", reference: "" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const score = $api.useMutation("post", "/scorers/try");
  const ready = form.answer.trim() !== "" && !score.isPending;
  const field = (name: keyof typeof form, label: string, note?: string) => (
    <Field label={label} note={note}>
      <textarea className="area" value={form[name]} maxLength={20_000} onChange={(event) => set({ [name]: event.target.value })} />
    </Field>
  );
  return (
    <div className="columns">
      <Card title="One answer">
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            if (ready) score.mutate({ body: { metric: scorer.metric, answer: form.answer, question: form.question, reference: form.reference.trim() ? form.reference : null, contexts: null } });
          }}
        >
          {field("question", "Question")}
          {field("answer", "Answer")}
          {field("reference", "Reference", scorer.judge?.pair ? "The opponent of the answer." : "May be left out where it is not looked at.")}
          <Refused error={score.error} />
          <div className="row end">
            <button type="submit" className="btn primary" disabled={!ready}>
              {score.isPending ? "Scoring…" : "Score it"}
            </button>
          </div>
        </form>
      </Card>
      <Card title="Score" flush={Boolean(score.data?.judgements?.length)}>
        <div role="status">
          {!score.data && <Blank small icon="check" title="Nothing was scored yet" text="Nothing is kept of a try. A judge's call is paid for." />}
          {score.data && (
            <p className="row inner">
              <b className="num">{figure(score.data.value)}</b>
              <span className="dim">{score.data.note || score.data.metric}</span>
            </p>
          )}
        </div>
        {Boolean(score.data?.judgements?.length) && (
          <Table
            label="What it said"
            items={score.data!.judgements!.map((one, index) => ({ ...one, index }))}
            id={(one) => String(one.index)}
            columns={[
              { key: "step", label: "Step", cell: (one) => <b>{one.step}</b> },
              { key: "score", label: "Score", numeric: true, cell: (one) => figure(one.score) },
              { key: "reason", label: "Because", cell: (one) => <div className="told">{one.reason || "–"}</div> },
            ]}
          />
        )}
      </Card>
    </div>
  );
}

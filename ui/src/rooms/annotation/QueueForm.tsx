import { useState, type ReactNode } from "react";
import { $api, api } from "../../api/client";
import type { Queue } from "../../api/types";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { NumberField } from "../../kit/fields";
import { Options } from "../../kit/filters";
import { Icon } from "../../kit/icons";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { toast } from "../../kit/toast";
import { fillable, FillFields, FILLING, fillOf, toldOf } from "./Fill";
import { Reviewers, wrongReviewers } from "./Reviewers";
import { emptyQuestion, faults, KINDS, questionOf, type QuestionDraft } from "./rubric";

/** The traces that were chosen for it before: what they are, and their ids. */
interface Chosen {
  what: ReactNode;
  take: () => Promise<string[]>;
}

/** Makes a queue: what is asked, of whom, and of which traces. */
export function QueueForm({ chosen, close, done }: { chosen?: Chosen; close: () => void; done: (name: string) => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({ name: "", rubric: "", reviewers: "1", filled: false });
  const [questions, setQuestions] = useState<QuestionDraft[]>(() => [emptyQuestion("helpful")]);
  const [people, setPeople] = useState<string[]>([]);
  const [filling, setFilling] = useState(FILLING);
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const change = (key: number, more: Partial<QuestionDraft>) => setQuestions(questions.map((one) => (one.key === key ? { ...one, ...more } : one)));
  const reviewers = Number(form.reviewers);
  const wrong = wrongReviewers(form.reviewers, people);
  const put = async (name: string) => {
    const path = { name };
    try {
      const ids = await chosen?.take();
      if (ids?.length) toast(toldOf((await api.POST("/queues/{name}/items", { params: { path }, body: { trace_ids: ids, why: "" } })).data!, name));
      else if (form.filled) toast(toldOf((await api.POST("/queues/{name}/fill", { params: { path }, body: fillOf(filling) })).data!, name));
    } catch (error) {
      // The queue is there; its page offers to fill it.
      toast((error as Error).message, { tone: "error" });
    }
    close();
    done(name);
  };
  const create = $api.useMutation("post", "/queues", outcome((made: Queue) => `${made.name} is open.`, { quiet: true, done: (made) => void put(made.name) }));
  const whole = questions.length > 0 && questions.every((one) => faults(one, questions).whole);
  return (
    <FormDialog
      title="Create a queue"
      close={close}
      size={720}
      stays
      ready={NAME.test(form.name) && whole && !wrong && (!form.filled || fillable(filling)) && !create.isPending && !create.isSuccess}
      label="Create"
      error={create.error}
      go={() => create.mutate({ body: { name: form.name, questions: questions.map(questionOf), rubric_text: form.rubric.trim(), reviewers, members: people.length ? people : null } })}
    >
      <div className="pair">
        <NameField value={form.name} set={(name) => set({ name })} placeholder="answers" />
        <NumberField label="Reviewers an item" whole value={form.reviewers} set={(reviewers) => set({ reviewers })} wrong={wrong} note="Two or more show how far they agree." />
      </div>
      <Field label="Rubric" note="Stands before whoever judges.">
        <textarea className="area" value={form.rubric} maxLength={20_000} placeholder="Judge the answer alone, not the question." onChange={(event) => set({ rubric: event.target.value })} />
      </Field>
      <ol className="rules" aria-label="Questions">
        {questions.map((one, index) => (
          <QuestionFields key={one.key} question={one} all={questions} number={index + 1} set={(more) => change(one.key, more)} remove={questions.length > 1 ? () => setQuestions(questions.filter((other) => other !== one)) : undefined} />
        ))}
      </ol>
      <div>
        <button type="button" className="btn" disabled={questions.length >= 20} onClick={() => setQuestions([...questions, emptyQuestion()])}>
          Add a question
        </button>
      </div>
      <Reviewers chosen={people} choose={setPeople} />
      {chosen?.what}
      {!chosen && (
        <label className="row">
          <input type="checkbox" checked={form.filled} onChange={(event) => set({ filled: event.target.checked })} />
          Fill it with the latest traces that fit
        </label>
      )}
      {form.filled && <FillFields typed={filling} set={(more) => setFilling({ ...filling, ...more })} />}
    </FormDialog>
  );
}

function QuestionFields(props: { question: QuestionDraft; all: QuestionDraft[]; number: number; set: (more: Partial<QuestionDraft>) => void; remove?: () => void }) {
  const { question, set } = props;
  const wrong = faults(question, props.all);
  const of = (what: string) => `${what} of question ${props.number}`;
  return (
    <li>
      <div className="pair">
        <Field label="Its score is named" wrong={wrong.name}>
          <input className="input" aria-label={of("Name")} value={question.name} aria-invalid={Boolean(wrong.name)} placeholder="helpful" onChange={(event) => set({ name: event.target.value })} />
        </Field>
        <Field label="Answered by">
          <select className="select" aria-label={of("Kind")} value={question.kind} onChange={(event) => set({ kind: event.target.value as QuestionDraft["kind"] })}>
            <Options of={KINDS} />
          </select>
        </Field>
      </div>
      <Field label="Asked">
        <input className="input" aria-label={of("Words")} value={question.text} maxLength={2000} placeholder="Does it answer the question?" onChange={(event) => set({ text: event.target.value })} />
      </Field>
      {question.kind === "label" && (
        <Field label="Labels, one a line" wrong={wrong.labels}>
          <textarea className="area" aria-label={of("Labels")} value={question.labels} placeholder={"rude\nplain\nkind"} onChange={(event) => set({ labels: event.target.value })} />
        </Field>
      )}
      {question.kind === "number" && (
        <div className="pair">
          {(["low", "high", "tolerance"] as const).map((name) => (
            <Field key={name} label={{ low: "Lowest", high: "Highest", tolerance: "May lie apart by" }[name]} wrong={name === "high" && wrong.high}>
              <input className="input num" inputMode="decimal" aria-label={of({ low: "Lowest", high: "Highest", tolerance: "Tolerance" }[name])} value={question[name]} onChange={(event) => set({ [name]: event.target.value })} />
            </Field>
          ))}
        </div>
      )}
      <div className="row wrap">
        {question.kind === "label" && (
          <label className="row">
            <input type="checkbox" checked={question.ordered} onChange={(event) => set({ ordered: event.target.checked })} /> from worst to best
          </label>
        )}
        <label className="row">
          <input type="checkbox" checked={!question.required} onChange={(event) => set({ required: !event.target.checked })} /> may be left out
        </label>
        {props.remove && (
          <button type="button" className="btn quiet" style={{ marginLeft: "auto" }} aria-label={`Remove question ${props.number}`} onClick={props.remove}>
            <Icon name="cross" size={14} /> Remove
          </button>
        )}
      </div>
    </li>
  );
}

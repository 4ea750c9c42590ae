import { useEffect, useState } from "react";
import type { Question, Work } from "../../api/types";
import { Id } from "../../kit/basics";
import { useKeys } from "../../kit/list";
import { Side } from "../traces/Content";
import { choices, complete, nextOpen, sent, type Answers } from "./answers";

interface Given {
  answers: Answers;
  comment: string;
  skip: boolean;
}

/** One item with what is asked of it. Number keys answer, Enter submits, S skips. */
export function Judge({ work, busy, give }: { work: Work; busy: boolean; give: (given: Given) => void }) {
  const [answers, setAnswers] = useState<Answers>((work.given ?? {}) as Answers);
  const [comment, setComment] = useState("");
  const [at, setAt] = useState(0);
  useEffect(() => {
    setAnswers((work.given ?? {}) as Answers);
    setComment("");
    setAt(0);
  }, [work.item.id, work.given]);
  const answer = (index: number, value: string | number) => {
    const question = work.questions[index]!;
    const next = { ...answers, [question.name]: value };
    setAnswers(next);
    if (choices(question).length > 0) setAt(nextOpen(work.questions, next));
  };
  const ready = complete(work.questions, answers) && !busy;
  const submit = () => ready && give({ answers: sent(answers), comment, skip: false });
  const skip = () => !busy && give({ answers: {}, comment, skip: true });
  const digits = Object.fromEntries(
    Array.from({ length: 9 }, (_, digit) => [
      String(digit + 1),
      () => {
        const found = choices(work.questions[at]!)[digit];
        if (found) answer(at, found.value);
      },
    ]),
  );
  useKeys({ ...digits, Enter: submit, s: skip, ArrowUp: () => setAt(Math.max(0, at - 1)), ArrowDown: () => setAt(Math.min(work.questions.length - 1, at + 1)) });
  return (
    <div className="judge">
      <section className="stack judge-shown" aria-label="What is judged" tabIndex={0}>
        <Side title="Input" value={work.input} role="user" json={false} />
        <Side title="Output" value={work.output} role="assistant" json={false} />
        <p className="dim row wrap">
          <span>Trace</span> <Id value={work.item.trace_id} />
          {work.model && <span>{work.model}</span>}
          {work.release && <span>{work.release}</span>}
        </p>
        {work.item.why && <p className="dim">Here because: {work.item.why}</p>}
      </section>
      <section className="stack judge-asked" aria-label="Your judgement">
        {work.rubric && <p className="prose">{work.rubric}</p>}
        {work.questions.map((question, index) => (
          <Ask key={question.name} question={question} current={index === at} value={answers[question.name]} focus={() => setAt(index)} answer={(value) => answer(index, value)} />
        ))}
        <label className="field">
          <span>Comment</span>
          <textarea className="area" rows={2} value={comment} onChange={(event) => setComment(event.target.value)} />
        </label>
        <div className="row">
          <button type="button" className="btn primary" disabled={!ready} onClick={submit}>
            Submit <kbd>Enter</kbd>
          </button>
          <button type="button" className="btn" disabled={busy} onClick={skip}>
            Skip <kbd>S</kbd>
          </button>
        </div>
      </section>
    </div>
  );
}

function Ask(props: { question: Question; current: boolean; value: string | number | undefined; focus: () => void; answer: (value: string | number) => void }) {
  const { question, value } = props;
  const offered = choices(question);
  const title = question.text || question.name;
  return (
    <fieldset className={props.current ? "ask current" : "ask"} onFocus={props.focus}>
      <legend>
        {title} {!question.required && <span className="faint">(may be left out)</span>}
      </legend>
      {offered.length > 0 ? (
        <div className="row wrap">
          {offered.map((one, index) => (
            <button key={one.label} type="button" className="btn" aria-pressed={value === one.value} onClick={() => props.answer(one.value)}>
              {index < 9 && <kbd>{index + 1}</kbd>} {one.label}
            </button>
          ))}
        </div>
      ) : question.kind === "number" ? (
        <input
          className="input num"
          type="number"
          aria-label={title}
          min={question.low}
          max={question.high}
          step="any"
          value={value ?? ""}
          onChange={(event) => props.answer(event.target.value === "" ? "" : Number(event.target.value))}
        />
      ) : (
        <textarea className="area" rows={question.kind === "correction" ? 5 : 3} aria-label={title} value={String(value ?? "")} onChange={(event) => props.answer(event.target.value)} />
      )}
    </fieldset>
  );
}

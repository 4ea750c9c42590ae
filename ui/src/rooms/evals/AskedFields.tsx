/** Fields that say which rows are asked and how answers are scored, for a suite and for an experiment alike. */
import { Field } from "../../kit/Dialog";
import { Options } from "../../kit/filters";

const SPLITS = { train: "train", validation: "validation", test: "test", holdout: "holdout", all: "rows of every split" };

interface Text {
  value: string;
  set: (value: string) => void;
}

/** One of the splits, or what `unsaid` tells where none is chosen. */
export function SplitField({ value, set, unsaid }: Text & { unsaid?: string }) {
  return (
    <Field label="Split">
      <select className="select" value={value} onChange={(event) => set(event.target.value)}>
        {unsaid && <option value="">{unsaid}</option>}
        <Options of={SPLITS} />
      </select>
    </Field>
  );
}

/** Names of scorers, a line each. */
export function ScorersField({ value, set, note, placeholder }: Text & { note: string; placeholder: string }) {
  return (
    <Field label="Scorers, one a line" note={note}>
      <textarea className="area mono" value={value} spellCheck={false} placeholder={placeholder} onChange={(event) => set(event.target.value)} />
    </Field>
  );
}

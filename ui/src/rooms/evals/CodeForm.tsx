import { useState } from "react";
import { $api } from "../../api/client";
import type { ScorerVersion } from "../../api/types";
import { wrongNumber } from "../../kit/bounds";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { NumberField } from "../../kit/fields";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";

const BEGIN = `def score(answer, reference, question, contexts):
    return "please" in answer.lower()
`;

/** Stores a scorer in Python, or the next version of one. */
export function CodeForm({ scorer, close, done }: { scorer?: ScorerVersion; close: () => void; done: (made: ScorerVersion) => void }) {
  const outcome = useOutcome();
  const code = scorer?.code;
  const [form, setForm] = useState({ name: scorer?.name ?? "", source: code?.source ?? BEGIN, seconds: String(code?.seconds ?? 10), megabytes: String(code?.megabytes ?? 256), note: "" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const wrong = { seconds: wrongNumber(form.seconds, 0.1, 300), megabytes: wrongNumber(form.megabytes, 64, 2048, { whole: true }) };
  const said = (made: ScorerVersion) => (made.existed ? `${made.ref} is just this already.` : `${made.metric} can score.`);
  const finish = (made: ScorerVersion) => {
    close();
    done(made);
  };
  const create = $api.useMutation("post", "/scorers/code/{name}/versions", outcome(said, { done: finish, quiet: true }));
  const { name, source, note } = form;
  return (
    <FormDialog
      title={scorer ? `Change ${scorer.name}` : "Create a scorer in Python"}
      close={close}
      size={640}
      stays
      ready={NAME.test(name) && source.trim() !== "" && !wrong.seconds && !wrong.megabytes && !create.isPending}
      label={scorer ? "Store a version" : "Create"}
      error={create.error}
      go={() => create.mutate({ params: { path: { name } }, body: { source, seconds: Number(form.seconds), megabytes: Number(form.megabytes), note } })}
    >
      {!scorer && <NameField value={name} set={(value) => set({ name: value })} placeholder="polite" note="A name that is there gets its next version." />}
      <Field label="Source" note="The standard library alone, in a process of its own, without files and network. It returns true or false, a number, or None where it does not apply.">
        <textarea className="area mono tall" value={source} maxLength={50_000} spellCheck={false} onChange={(event) => set({ source: event.target.value })} />
      </Field>
      <div className="pair">
        <NumberField label="Seconds at most" value={form.seconds} set={(seconds) => set({ seconds })} wrong={wrong.seconds} />
        <NumberField label="Megabytes at most" whole value={form.megabytes} set={(megabytes) => set({ megabytes })} wrong={wrong.megabytes} />
      </div>
      <Field label="Note">
        <input className="input" value={note} maxLength={20_000} onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

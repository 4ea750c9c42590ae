import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { DatasetVersion, Queue } from "../../api/types";
import { Field, FormDialog } from "../../kit/Dialog";
import { plural } from "../../kit/format";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { DatasetField } from "../data/DatasetField";

/** Makes a version of a dataset of what reviewers settled. */
export function Collect({ queue, close }: { queue: Queue; close: () => void }) {
  const navigate = useNavigate();
  const outcome = useOutcome();
  const [form, setForm] = useState({ dataset: "", question: "", note: "" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const said = (made: DatasetVersion) => (made.existed ? `${made.ref} has these rows already.` : `${made.ref} has ${plural(made.rows, "row")}.`);
  const finish = (made: DatasetVersion) => {
    close();
    void navigate({ to: `/datasets/${made.name}` });
  };
  const collect = $api.useMutation("post", "/queues/{name}/dataset", outcome(said, { done: finish, quiet: true }));
  return (
    <FormDialog
      title={`Collect ${queue.name}`}
      close={close}
      size={520}
      ready={NAME.test(form.dataset) && !collect.isPending}
      label="Collect"
      error={collect.error}
      go={() => collect.mutate({ params: { path: { name: queue.name } }, body: form })}
    >
      <p className="dim">
        {plural(queue.progress.done, "settled item")} become rows of a dataset. A corrected answer takes the place of the one that was given.
      </p>
      <DatasetField value={form.dataset} set={(dataset) => set({ dataset })} placeholder={`${queue.name}-judged`} note="A name that is there gets its next version." />
      <Field label="Scores that the rows carry">
        <select className="select" value={form.question} onChange={(event) => set({ question: event.target.value })}>
          <option value="">of every question</option>
          {queue.questions.map((one) => (
            <option key={one.name} value={one.name}>
              of {one.name} alone
            </option>
          ))}
        </select>
      </Field>
      <Field label="Note">
        <input className="input" value={form.note} maxLength={20_000} placeholder={`From the queue ${queue.name}.`} onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

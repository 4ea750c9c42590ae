import { useState } from "react";
import { $api } from "../../api/client";
import type { Queue } from "../../api/types";
import { Field, FormDialog } from "../../kit/Dialog";
import { NumberField } from "../../kit/fields";
import { useOutcome } from "../../kit/outcome";
import { Reviewers, wrongReviewers } from "./Reviewers";

/** Changes by what rubric a queue is judged, by whom and how often. */
export function QueueTerms({ queue, close }: { queue: Queue; close: () => void }) {
  const outcome = useOutcome();
  const [rubric, setRubric] = useState(queue.rubric);
  const [reviewers, setReviewers] = useState(String(queue.reviewers));
  const [people, setPeople] = useState(queue.members);
  const wrong = wrongReviewers(reviewers, people);
  const change = $api.useMutation("patch", "/queues/{name}", outcome("Changed. What is settled stays as it is.", { done: close, quiet: true }));
  return (
    <FormDialog
      title={`Change ${queue.name}`}
      close={close}
      size={560}
      stays
      ready={!wrong && !change.isPending}
      label="Change"
      error={change.error}
      go={() => change.mutate({ params: { path: { name: queue.name } }, body: { rubric_text: rubric.trim(), reviewers: Number(reviewers), members: people } })}
    >
      <Field label="Rubric" note="Stands before whoever judges. The questions stay as they are, so that answers can be compared.">
        <textarea className="area tall" value={rubric} maxLength={20_000} data-autofocus onChange={(event) => setRubric(event.target.value)} />
      </Field>
      <NumberField label="Reviewers an item" whole value={reviewers} set={setReviewers} wrong={wrong} note="Counts for items that are judged from now on." />
      <Reviewers chosen={people} choose={setPeople} />
    </FormDialog>
  );
}

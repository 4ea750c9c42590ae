import { useState } from "react";
import { $api } from "../../api/client";
import type { Refresh } from "../../api/types";
import { Field, FormDialog } from "../../kit/Dialog";
import { useOutcome } from "../../kit/outcome";

const RESULTS = {
  done: "A release came of it, or nothing had to change. Not due again for the same evidence.",
  failed: "It went wrong. It may be due again after the cool-down.",
  dismissed: "It was not worth it. Not due again for the same evidence.",
} as const;
type Result = keyof typeof RESULTS;

/** Reports what came of a refresh. */
export function RefreshEnd({ refresh, close }: { refresh: Refresh; close: () => void }) {
  const outcome = useOutcome();
  const [result, setResult] = useState<Result>(refresh.state === "due" ? "dismissed" : "done");
  const [release, setRelease] = useState("");
  const [note, setNote] = useState("");
  const releases = $api.useQuery("get", "/releases", { params: { query: { limit: 200 } } });
  const finish = $api.useMutation("post", "/refreshes/{id}/finish", outcome((made: Refresh) => `Noted: ${made.state}.`, { done: close, quiet: true }));
  return (
    <FormDialog
      title={`The refresh of ${refresh.deployment}`}
      close={close}
      stays
      ready={!finish.isPending}
      label="Note it"
      error={finish.error}
      go={() => finish.mutate({ params: { path: { id: refresh.id } }, body: { result, release: result === "done" ? release.trim() : "", note } })}
    >
      <Field label="What came of it" note={RESULTS[result]}>
        <select className="select" data-autofocus value={result} onChange={(event) => setResult(event.target.value as Result)}>
          {Object.keys(RESULTS).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </Field>
      {result === "done" && (
        <Field label="Release that came of it" note="Empty where none did.">
          <input className="input mono" list="refresh-releases" value={release} placeholder="release/docs@3" onChange={(event) => setRelease(event.target.value)} />
        </Field>
      )}
      <datalist id="refresh-releases">{releases.data?.items.map((one) => <option key={one.ref} value={one.ref} />)}</datalist>
      <Field label="Note">
        <input className="input" value={note} placeholder="Why" onChange={(event) => setNote(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

import { useState } from "react";
import { $api } from "../../api/client";
import { Field, FormDialog } from "../../kit/Dialog";
import { count } from "../../kit/format";
import { useOutcome } from "../../kit/outcome";

/** Which traces, as it is typed. */
export interface Filling {
  deployment: string;
  status: string;
  query: string;
  score: string;
  most: string;
  share: string;
  limit: string;
}

export const FILLING: Filling = { deployment: "", status: "", query: "", score: "", most: "", share: "100", limit: "100" };

export interface Added {
  added: number;
  known: number;
}

export const toldOf = (made: Added, queue: string) => `${count(made.added)} added to ${queue}${made.known ? `, ${count(made.known)} were there` : ""}.`;

const whole = (text: string, most: number) => Number.isInteger(Number(text)) && Number(text) >= 1 && Number(text) <= most;

export const fillable = (typed: Filling) => wrongs(typed).every((one) => one === "");

function wrongs({ share, limit, most }: Filling): [string, string, string] {
  const portion = Number(share) / 100;
  return [portion > 0 && portion <= 1 ? "" : "Over 0, at most 100.", whole(limit, 1000) ? "" : "From 1 to 1,000.", most.trim() && Number.isNaN(Number(most)) ? "A number." : ""];
}

export function fillOf({ deployment, status, query, score, most, share, limit }: Filling) {
  const words = { deployment: deployment.trim(), status, query: query.trim(), score: score.trim(), release: "", environment: "", why: "" };
  return { ...words, at_most: most.trim() ? Number(most) : null, share: Number(share) / 100, limit: Number(limit) };
}

/** Which of the latest traces go into a queue. */
export function FillFields({ typed, set }: { typed: Filling; set: (more: Partial<Filling>) => void }) {
  const [share, limit, most] = wrongs(typed);
  return (
    <>
      <div className="pair">
        <Field label="Of the deployment">
          <input className="input" value={typed.deployment} placeholder="any" onChange={(event) => set({ deployment: event.target.value })} />
        </Field>
        <Field label="How they ended">
          <select className="select" value={typed.status} onChange={(event) => set({ status: event.target.value })}>
            <option value="">in any way</option>
            <option value="ok">well</option>
            <option value="error">with an error</option>
          </select>
        </Field>
        <Field label="With the words">
          <input className="input" value={typed.query} placeholder="any" onChange={(event) => set({ query: event.target.value })} />
        </Field>
      </div>
      <div className="pair">
        <Field label="With the score">
          <input className="input" value={typed.score} placeholder="any" onChange={(event) => set({ score: event.target.value })} />
        </Field>
        <Field label="At most" wrong={most}>
          <input className="input num" inputMode="decimal" value={typed.most} placeholder="any" aria-invalid={Boolean(most)} onChange={(event) => set({ most: event.target.value })} />
        </Field>
        <Field label="Share of them (%)" wrong={share}>
          <input className="input num" inputMode="decimal" value={typed.share} aria-invalid={Boolean(share)} onChange={(event) => set({ share: event.target.value })} />
        </Field>
        <Field label="Traces at most" wrong={limit}>
          <input className="input num" inputMode="numeric" value={typed.limit} aria-invalid={Boolean(limit)} onChange={(event) => set({ limit: event.target.value })} />
        </Field>
      </div>
    </>
  );
}

/** Puts the latest traces that fit into a queue. */
export function FillQueue({ queue, close }: { queue: string; close: () => void }) {
  const outcome = useOutcome();
  const [typed, setTyped] = useState(FILLING);
  const fill = $api.useMutation("post", "/queues/{name}/fill", outcome((made: Added) => toldOf(made, queue), { done: close, quiet: true }));
  return (
    <FormDialog
      title={`Fill ${queue}`}
      close={close}
      size={560}
      ready={fillable(typed) && !fill.isPending}
      label="Fill"
      error={fill.error}
      go={() => fill.mutate({ params: { path: { name: queue } }, body: fillOf(typed) })}
    >
      <p className="dim">The latest traces that fit; those that are here already stay as they are.</p>
      <FillFields typed={typed} set={(more) => setTyped({ ...typed, ...more })} />
    </FormDialog>
  );
}

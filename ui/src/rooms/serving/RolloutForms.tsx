import { useId, useState } from "react";
import { $api } from "../../api/client";
import type { Deployment } from "../../api/types";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { Options } from "../../kit/filters";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";

const RELEASE = /^release\/\S+$/;
const METRIC = /^(error|latency|ttft|cost|score\/[a-z0-9][a-z0-9._-]{0,127}(=.{1,200})?)$/;
const METRICS = ["score/helpful", "error", "latency", "ttft", "cost"];
const SPLITS = { user: "users", session: "sessions", request: "requests" } as const;

/** Puts a release behind a name that clients ask for. */
export function DeploymentForm({ environment, close, done }: { environment: string; close: () => void; done: (made: Deployment) => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({ name: "", release: "", note: "" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const finish = (made: Deployment) => {
    close();
    done(made);
  };
  const create = $api.useMutation("post", "/deployments", outcome((made: Deployment) => `${made.name} answers in ${made.environment}.`, { done: finish, quiet: true }));
  return (
    <FormDialog
      title={`Create a deployment in ${environment || "your environment"}`}
      close={close}
      size={480}
      ready={NAME.test(form.name) && RELEASE.test(form.release.trim()) && !create.isPending}
      label="Create"
      error={create.error}
      go={() => create.mutate({ body: { ...form, release: form.release.trim(), environment } })}
    >
      <NameField value={form.name} set={(name) => set({ name })} placeholder="docs" note="What clients ask for as the model." />
      <ReleaseField value={form.release} set={(release) => set({ release })} />
      <Field label="Note">
        <input className="input" value={form.note} maxLength={20_000} onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

/** Tries a release on a share of a deployment's traffic until it is shown that it may stay, or may not. */
export function CanaryForm({ deployment, close }: { deployment: Deployment; close: () => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({ release: "", metric: "score/helpful", margin: "0.05", share: "10", split: "user" as keyof typeof SPLITS, horizon: "5000", note: "" });
  const list = useId();
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const [margin, share, horizon] = [form.margin, form.share, form.horizon].map((text) => (text.trim() ? Number(text) : Number.NaN)) as [number, number, number];
  const wrong = {
    metric: METRIC.test(form.metric.trim()) ? "" : "error, latency, ttft, cost, or score/ and a name",
    margin: margin >= 0 ? "" : "A number from 0.",
    share: share > 0 && share <= 100 ? "" : "Over 0, at most 100.",
    horizon: Number.isInteger(horizon) && horizon >= 0 && horizon <= 1_000_000 ? "" : "A whole number, at most 1,000,000.",
  };
  const start = $api.useMutation("post", "/deployments/{name}/canary", outcome("The canary is judged from now on.", { done: close, quiet: true }));
  const submit = () =>
    start.mutate({
      params: { path: { name: deployment.name } },
      body: {
        release: form.release.trim(),
        metric: form.metric.trim(),
        margin,
        weights: [share / 100],
        split: form.split,
        horizon_units: horizon,
        note: form.note,
        environment: deployment.environment,
        kind: "canary",
        level: 0.95,
        horizon_minutes: 10_080,
        settle_minutes: 0,
        step_units: 500,
      },
    });
  return (
    <FormDialog
      title={`Start a canary of ${deployment.name}`}
      close={close}
      size={560}
      stays
      ready={RELEASE.test(form.release.trim()) && Object.values(wrong).every((one) => !one) && !start.isPending}
      label="Start"
      error={start.error}
      go={submit}
    >
      <ReleaseField value={form.release} set={(release) => set({ release })} note={`Beside ${deployment.baseline}.`} />
      <div className="pair">
        <Field label="Judged by" wrong={wrong.metric}>
          <input className="input mono" list={list} value={form.metric} aria-invalid={Boolean(wrong.metric)} onChange={(event) => set({ metric: event.target.value })} />
          <datalist id={list}>
            {METRICS.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
        </Field>
        <Field label="It may lose" note="More than this is a loss." wrong={wrong.margin}>
          <input className="input num" inputMode="decimal" value={form.margin} aria-invalid={Boolean(wrong.margin)} onChange={(event) => set({ margin: event.target.value })} />
        </Field>
      </div>
      <div className="pair">
        <Field label="Share of the traffic (%)" wrong={wrong.share}>
          <input className="input num" inputMode="decimal" value={form.share} aria-invalid={Boolean(wrong.share)} onChange={(event) => set({ share: event.target.value })} />
        </Field>
        <Field label="Split by">
          <select className="select" value={form.split} onChange={(event) => set({ split: event.target.value as typeof form.split })}>
            <Options of={SPLITS} />
          </select>
        </Field>
        <Field label={`Over after so many ${SPLITS[form.split]}`} wrong={wrong.horizon}>
          <input className="input num" inputMode="numeric" value={form.horizon} aria-invalid={Boolean(wrong.horizon)} onChange={(event) => set({ horizon: event.target.value })} />
        </Field>
      </div>
      <p className="dim">At 95 % confidence over all looks it is promoted, rolled back, or after a week at the latest ended, by itself.</p>
      <Field label="Note">
        <input className="input" value={form.note} maxLength={20_000} onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

function ReleaseField({ value, set, note }: { value: string; set: (value: string) => void; note?: string }) {
  const list = useId();
  const known = $api.useQuery("get", "/releases", { params: { query: { limit: 200 } } });
  const wrong = value.trim() !== "" && !RELEASE.test(value.trim()) && "release/name, with @ and a version";
  return (
    <Field label="Release" note={note} wrong={wrong}>
      <input className="input mono" list={list} value={value} aria-invalid={Boolean(wrong)} placeholder="release/docs@1" onChange={(event) => set(event.target.value)} />
      <datalist id={list}>
        {known.data?.items.map((one) => (
          <option key={one.ref} value={one.ref} label={one.state.replace("_", " ")} />
        ))}
      </datalist>
    </Field>
  );
}

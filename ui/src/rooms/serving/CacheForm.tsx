import { useState } from "react";
import { $api } from "../../api/client";
import type { CachePolicy } from "../../api/types";
import { Segments } from "../../kit/basics";
import { Field, FormDialog } from "../../kit/Dialog";
import { useOutcome } from "../../kit/outcome";

const MODES = ["exact", "semantic"] as const;

/** Says which answers of a deployment or a route are kept, and for how long. */
export function CacheForm({ policy, environment, close }: { policy?: CachePolicy; environment: string; close: () => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({
    name: policy?.name ?? "",
    mode: (policy?.mode ?? "exact") as (typeof MODES)[number],
    threshold: String(policy?.threshold ?? 0.95),
    scope: policy?.scope ?? ("project" as const),
    ttl: String(policy?.ttl_seconds ?? 3600),
    entries: String(policy?.max_entries ?? 10_000),
    megabytes: String(Math.round((policy?.max_bytes ?? 64 << 20) / (1 << 20))),
    sampled: policy?.sampled ?? false,
    tools: policy?.tools ?? false,
    note: "",
  });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const deployments = $api.useQuery("get", "/deployments", { params: { query: { environment, limit: 200 } } });
  const routes = $api.useQuery("get", "/routes", { params: { query: { environment, limit: 200 } } });
  const names = [...(deployments.data?.items ?? []), ...(routes.data?.items ?? [])].map((one) => one.name);
  const save = $api.useMutation("put", "/caches/{name}", outcome("The policy is set.", { done: close, quiet: true }));
  const whole = (text: string, least = 1) => /^\d+$/.test(text.trim()) && Number(text) >= least;
  const threshold = Number(form.threshold);
  const ready = form.name !== "" && whole(form.ttl) && whole(form.entries) && whole(form.megabytes) && threshold >= 0.5 && threshold <= 1;
  return (
    <FormDialog
      title={policy ? `Cache of ${policy.name}` : "Set a policy"}
      close={close}
      size={560}
      ready={ready && !save.isPending}
      label="Set"
      error={save.error}
      go={() => {
        save.mutate({
          params: { path: { name: form.name } },
          body: {
            environment,
            mode: form.mode,
            threshold,
            scope: form.scope,
            ttl_seconds: Number(form.ttl),
            max_entries: Number(form.entries),
            max_bytes: Number(form.megabytes) << 20,
            sampled: form.sampled,
            tools: form.tools,
            note: form.note,
          },
        });
      }}
    >
      {!policy && (
        <Field label="Deployment or route">
          <select className="select" value={form.name} data-autofocus onChange={(event) => set({ name: event.target.value })}>
            <option value="">Choose…</option>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </Field>
      )}
      <div className="row wrap">
        <span className="dim">The same question</span>
        <Segments value={form.mode} options={MODES} label="What counts as the same question" onChange={(mode) => set({ mode })} />
      </div>
      <div className="pair">
        {form.mode === "semantic" && (
          <Field label="Least likeness" note="A cosine; evaluate it before.">
            <input className="input num" inputMode="decimal" value={form.threshold} onChange={(event) => set({ threshold: event.target.value })} />
          </Field>
        )}
        <Field label="Given again to">
          <select className="select" value={form.scope} onChange={(event) => set({ scope: event.target.value as typeof form.scope })}>
            <option value="project">all who may ask</option>
            <option value="key">the key that asked</option>
          </select>
        </Field>
        <Field label="Kept, seconds">
          <input className="input num" inputMode="numeric" value={form.ttl} onChange={(event) => set({ ttl: event.target.value })} />
        </Field>
        <Field label="Most answers">
          <input className="input num" inputMode="numeric" value={form.entries} onChange={(event) => set({ entries: event.target.value })} />
        </Field>
        <Field label="Most MiB">
          <input className="input num" inputMode="numeric" value={form.megabytes} onChange={(event) => set({ megabytes: event.target.value })} />
        </Field>
      </div>
      <label className="checks-line">
        <input type="checkbox" checked={form.sampled} onChange={(event) => set({ sampled: event.target.checked })} />
        Keep answers to calls without temperature 0 too
      </label>
      <label className="checks-line">
        <input type="checkbox" checked={form.tools} onChange={(event) => set({ tools: event.target.checked })} />
        Keep answers to calls with tools too
      </label>
      <Field label="Note">
        <input className="input" value={form.note} placeholder="Why" onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

import { useState } from "react";
import { $api } from "../../api/client";
import type { Route } from "../../api/types";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { Icon } from "../../kit/icons";
import { NAME } from "../../kit/name";
import { Options } from "../../kit/filters";
import { useOutcome } from "../../kit/outcome";
import { RouteTermsForm } from "./RouteTermsForm";
import { candidate, POLICIES, STICKY, termsOf, termsReady, termsSent, TROUBLES, type CandidateDraft, type Policy, type Sticky, type Trouble } from "./routing";

const USUAL: Trouble[] = ["connect", "timeout", "server", "limit", "context"];

/** Makes a route, or changes one; every change is kept. */
export function RouteForm({ route, environment, close, done }: { route?: Route; environment: string; close: () => void; done: (name: string) => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({
    name: route?.name ?? "",
    policy: (route?.policy ?? "ordered") as Policy,
    sticky: (route?.sticky ?? "") as Sticky,
    pin: route?.pin ?? "",
    retries: String(route?.retries ?? 1),
    fallback: (route?.fallback_on ?? USUAL) as Trouble[],
    note: "",
  });
  const [candidates, setCandidates] = useState<CandidateDraft[]>(() => route?.candidates.map((one) => candidate(one.target, String(one.weight ?? 1))) ?? [candidate(), candidate()]);
  const [rest, setRest] = useState(() => termsOf(route));
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const change = (key: number, more: Partial<CandidateDraft>) => setCandidates(candidates.map((one) => (one.key === key ? { ...one, ...more } : one)));
  const finish = (made: Route) => {
    close();
    done(made.name);
  };
  const create = $api.useMutation("post", "/routes", outcome((made: Route) => `${made.name} is a route.`, { done: finish, quiet: true }));
  const update = $api.useMutation("patch", "/routes/{name}", outcome((made: Route) => `${made.name} is changed; the history keeps what it was.`, { done: finish, quiet: true }));
  const targets = useTargets(environment);
  const filled = candidates.filter((one) => one.target.trim());
  const wrong = filled.some((one) => !(Number(one.weight) >= 0) || one.weight.trim() === "");
  const names = [...new Set(filled.map((one) => one.target.trim()))];
  const submit = () => {
    const kept = new Map(route?.candidates.map((one) => [one.target, one]));
    const list = filled.map((one) => ({ context: 0, lacks: [], ...kept.get(one.target.trim()), target: one.target.trim(), weight: Number(one.weight) }));
    const terms = { candidates: list, policy: form.policy, sticky: form.sticky, pin: form.pin, retries: Number(form.retries), fallback_on: form.fallback, note: form.note, environment, ...termsSent(rest, names) };
    if (route) update.mutate({ params: { path: { name: route.name } }, body: terms });
    else create.mutate({ body: { ...terms, name: form.name } });
  };
  return (
    <FormDialog
      title={route ? `Change ${route.name}` : "Create a route"}
      close={close}
      size={640}
      stays
      ready={NAME.test(form.name) && filled.length > 0 && !wrong && termsReady(rest, names) && !create.isPending && !update.isPending}
      label={route ? "Change" : "Create"}
      error={create.error ?? update.error}
      go={submit}
    >
      <div className="pair">
        {!route && (
          <NameField value={form.name} set={(name) => set({ name })} placeholder="chat" note={`What clients ask for, in ${environment || "your environment"}.`} />
        )}
        <Field label="First comes" note={POLICIES[form.policy]}>
          <select className="select" value={form.policy} onChange={(event) => set({ policy: event.target.value as Policy })}>
            {Object.keys(POLICIES).map((policy) => (
              <option key={policy}>{policy}</option>
            ))}
          </select>
        </Field>
        <Field label="Stays with one" note="Whoever it is keeps their candidate.">
          <select className="select" value={form.sticky} onChange={(event) => set({ sticky: event.target.value as Sticky })}>
            <Options of={STICKY} />
          </select>
        </Field>
      </div>
      <fieldset className="plain">
        <legend>Candidates, in their order</legend>
        <datalist id="route-targets">
          {targets.map((target) => (
            <option key={target} value={target} />
          ))}
        </datalist>
        <ol className="stack tight">
          {candidates.map((one, index) => (
            <li key={one.key} className="row">
              <input className="input mono grow" list="route-targets" aria-label={`Candidate ${index + 1}`} value={one.target} placeholder="acme/large, model/base, release/docs@2 or a deployment" onChange={(event) => change(one.key, { target: event.target.value })} />
              <input className="input num bound" inputMode="decimal" aria-label={`Weight of candidate ${index + 1}`} title="Weight; 0 keeps it for failures of the others" value={one.weight} onChange={(event) => change(one.key, { weight: event.target.value })} />
              <button type="button" className="btn icon quiet" aria-label={`Move candidate ${index + 1} up`} disabled={index === 0} onClick={() => setCandidates(candidates.with(index - 1, one).with(index, candidates[index - 1]!))}>
                <Icon name="up" />
              </button>
              <button type="button" className="btn icon quiet" aria-label={`Remove candidate ${index + 1}`} disabled={candidates.length < 2} onClick={() => setCandidates(candidates.filter((other) => other.key !== one.key))}>
                <Icon name="cross" />
              </button>
            </li>
          ))}
        </ol>
        <button type="button" className="btn quiet" disabled={candidates.length >= 16} onClick={() => setCandidates([...candidates, candidate()])}>
          Add a candidate
        </button>
      </fieldset>
      <fieldset className="plain">
        <legend>The next candidate is asked after</legend>
        <div className="row wrap">
          {(Object.keys(TROUBLES) as Trouble[]).map((one) => (
            <label key={one} className="checks-line">
              <input type="checkbox" checked={form.fallback.includes(one)} onChange={(event) => set({ fallback: event.target.checked ? [...form.fallback, one] : form.fallback.filter((other) => other !== one) })} />
              {TROUBLES[one]}
            </label>
          ))}
        </div>
      </fieldset>
      <div className="pair">
        <Field label="Rounds of retries">
          <select className="select" value={form.retries} onChange={(event) => set({ retries: event.target.value })}>
            {["0", "1", "2", "3", "4", "5"].map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </Field>
        <Field label="Pinned to">
          <select className="select" value={form.pin} onChange={(event) => set({ pin: event.target.value })}>
            <option value="">no candidate</option>
            {filled.map((one) => (
              <option key={one.key}>{one.target}</option>
            ))}
          </select>
        </Field>
        <Field label="Note">
          <input className="input" value={form.note} placeholder="Why" onChange={(event) => set({ note: event.target.value })} />
        </Field>
      </div>
      <details>
        <summary>Rules, retries, waits and the breaker</summary>
        <div className="stack" style={{ paddingTop: 8 }}>
          <RouteTermsForm terms={rest} set={(more) => setRest({ ...rest, ...more })} candidates={names} />
        </div>
      </details>
    </FormDialog>
  );
}

/** What a candidate may be: deployments, releases and models; a provider's models are typed. */
function useTargets(environment: string): string[] {
  const query = { params: { query: { limit: 200 } } };
  const deployments = $api.useQuery("get", "/deployments", { params: { query: { environment, limit: 200 } } });
  const releases = $api.useQuery("get", "/releases", query);
  const models = $api.useQuery("get", "/models", query);
  return [...(deployments.data?.items.map((one) => one.name) ?? []), ...(releases.data?.items.map((one) => one.ref) ?? []), ...(models.data?.items.map((one) => one.ref) ?? [])];
}

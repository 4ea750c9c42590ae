import { useState } from "react";
import { $api } from "../../api/client";
import type { Deployment, RefreshPolicy } from "../../api/types";
import { Dialog, Field, Foot, Refused } from "../../kit/Dialog";
import { useOutcome } from "../../kit/outcome";
import { termsDraft, termsGiven, termsWhole, type RefreshDraft } from "./refreshing";

/** Says when a deployment's model is to be tuned anew; one condition that holds is enough. */
export function RefreshForm({ deployment, policy, close }: { deployment: Deployment; policy?: RefreshPolicy; close: () => void }) {
  const { name, environment } = deployment;
  const outcome = useOutcome();
  const [form, setForm] = useState(() => termsDraft(policy?.terms));
  const set = (more: Partial<RefreshDraft>) => setForm({ ...form, ...more });
  const datasets = $api.useQuery("get", "/datasets", { params: { query: { limit: 200 } } });
  const monitors = $api.useQuery("get", "/monitors", { params: { query: { limit: 200 } } }, { retry: false });
  const path = { params: { path: { deployment: name } } };
  const save = $api.useMutation("put", "/deployments/{deployment}/refresh", outcome("The policy is set.", { done: close, quiet: true }));
  const clear = $api.useMutation("delete", "/deployments/{deployment}/refresh", outcome("There is no policy any more; its history stays.", { done: close, quiet: true }));
  const text = (label: string, key: keyof RefreshDraft, more: { note?: string; mono?: boolean; placeholder?: string; list?: string } = {}) => (
    <Field label={label} note={more.note}>
      <input
        className={more.mono ? "input mono" : "input num"}
        inputMode={more.mono ? undefined : "decimal"}
        list={more.list}
        placeholder={more.placeholder}
        value={form[key] as string}
        onChange={(event) => set({ [key]: event.target.value })}
      />
    </Field>
  );
  return (
    <Dialog title={`When ${name} is refreshed`} close={close} size={640} stays>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate({ ...path, body: { ...termsGiven(form), environment } });
        }}
      >
        <p className="dim">One condition that holds is enough. What is left empty is not looked at.</p>
        <fieldset className="plain">
          <legend>By the clock, in UTC</legend>
          <div className="pair">
            {text("Every so many hours", "every")}
            {text("Or at these moments", "cron", { mono: true, placeholder: "0 3 * * 1", note: "Minute, hour, day, month, day of the week." })}
          </div>
        </fieldset>
        <fieldset className="plain">
          <legend>By what the traffic shows</legend>
          <div className="pair">
            {text("When this monitor opens an alert", "monitor", { mono: true, list: "refresh-monitors" })}
            {text("When the mean of this score drops", "score", { mono: true, placeholder: "helpful" })}
            {text("By more than", "drop")}
            {text("Its least value", "low")}
            {text("Its largest value", "high")}
            {text("Scored calls of the first period", "units")}
            {text("Judged in windows of days", "window")}
          </div>
        </fieldset>
        <fieldset className="plain">
          <legend>By what has come in</legend>
          <div className="pair">
            {text("New rows", "rows")}
            {text("In this dataset", "dataset", { mono: true, list: "refresh-datasets", placeholder: "dataset/docstrings" })}
            {text("Calls with new feedback", "judged")}
            {text("Under this name", "feedback", { mono: true, placeholder: "helpful" })}
          </div>
        </fieldset>
        <label className="checks-line">
          <input type="checkbox" checked={form.asked} onChange={(event) => set({ asked: event.target.checked })} />
          Also without any of these, when somebody or an action of a monitor asks for it
        </label>
        <fieldset className="plain">
          <legend>And not too often</legend>
          <div className="pair">
            {text("Hours between two", "cooldown")}
            {text("At most a week", "weekly")}
            {text("None at these hours, UTC", "quiet", { mono: true, placeholder: "22-06" })}
            {text("Given up after hours", "patience")}
          </div>
          <label className="checks-line">
            <input type="checkbox" checked={form.dry} onChange={(event) => set({ dry: event.target.checked })} />
            Only note what would be due, and tell nobody
          </label>
        </fieldset>
        <datalist id="refresh-monitors">{monitors.data?.items.map((one) => <option key={one.name} value={one.name} />)}</datalist>
        <datalist id="refresh-datasets">{datasets.data?.items.map((one) => <option key={one.name} value={`dataset/${one.name}`} />)}</datalist>
        <Refused error={save.error ?? clear.error} />
        <div className="row end">
          {policy && (
            <button type="button" className="btn danger" disabled={clear.isPending} onClick={() => clear.mutate({ params: { ...path.params, query: { environment } } })}>
              Remove the policy
            </button>
          )}
          <Foot close={close} ready={termsWhole(form) && !save.isPending} label="Set" />
        </div>
      </form>
    </Dialog>
  );
}

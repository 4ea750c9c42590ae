import { useState } from "react";
import { $api } from "../../api/client";
import { Field, FormDialog } from "../../kit/Dialog";
import { Options } from "../../kit/filters";
import { useOutcome } from "../../kit/outcome";
import { may, useWho } from "../../shell/session";
import { nameOf, prefixOf } from "../workspace/keys";
import { PERS, SCOPES, UNITS, words, type Allowance, type Per, type Scope } from "./allowances";

interface Draft {
  scope: Scope;
  name: string;
  measure: Allowance["measure"];
  per: Per;
  amount: string;
}

/** Sets what somebody may use in each window; setting it again changes the amount. */
export function SetAllowance({ close, first }: { close: () => void; first: Partial<Draft> }) {
  const who = useWho();
  const [draft, setDraft] = useState<Draft>({ scope: "project", name: "", measure: "money", per: first.measure && first.measure !== "money" ? "minute" : "month", amount: "", ...first });
  const set = (more: Partial<Draft>) => setDraft({ ...draft, ...more });
  const page = { params: { query: { limit: 500 } } };
  const keys = $api.useQuery("get", "/keys", page, { enabled: draft.scope === "key" && may(who.data, "key.read") });
  const members = $api.useQuery("get", "/members", page, { enabled: draft.scope === "member" });
  const environments = $api.useQuery("get", "/environments", page, { enabled: draft.scope === "environment" });
  const outcome = useOutcome();
  const said = { done: close, quiet: true };
  const budget = $api.useMutation("post", "/budgets", outcome("The budget is set. It counts within five seconds.", said));
  const limit = $api.useMutation("post", "/limits", outcome("The limit is set. It counts within five seconds.", said));
  const choices: Record<Scope, [string, string][]> = {
    project: [],
    environment: environments.data?.items.map((one) => [one.name, one.name]) ?? [],
    member: members.data?.items.map((one) => [one.name, `${one.name} (${one.role})`]) ?? [],
    key: keys.data?.items.filter((one) => one.state === "active").map((one) => [one.id, `${nameOf(one)} · ${prefixOf(one.id)}`]) ?? [],
  };
  const amount = Number(draft.amount);
  const valid = draft.amount.trim() !== "" && amount >= 0 && Number.isFinite(amount) && (draft.measure === "money" || Number.isInteger(amount));
  const changes = first.amount !== undefined;
  const whose = draft.scope === "project" ? {} : { [draft.scope]: draft.name };
  const body = { key: "", member: "", environment: "", per: draft.per, amount, ...whose };
  const listed = choices[draft.scope];
  return (
    <FormDialog
      title={changes ? "Change the amount" : draft.measure === "money" ? "Set a budget" : "Set a limit"}
      close={close}
      size={520}
      ready={valid && (draft.scope === "project" || draft.name !== "") && !budget.isPending && !limit.isPending}
      label={changes ? "Change" : "Set"}
      error={budget.error ?? limit.error}
      go={() => {
        if (draft.measure === "money") budget.mutate({ body });
        else limit.mutate({ body: { ...body, measure: draft.measure } });
      }}
    >
      {!changes && (
        <div className="pair">
          <Field label="For">
            <select className="select" value={draft.scope} onChange={(event) => set({ scope: event.target.value as Scope, name: "" })}>
              {SCOPES.map((one) => (
                <option key={one} value={one}>
                  {one === "project" ? "the whole project" : `a${one === "environment" ? "n" : ""} ${one}`}
                </option>
              ))}
            </select>
          </Field>
          {draft.scope !== "project" && (
            <Field label={draft.scope === "key" ? "Which key" : `Which ${draft.scope}`}>
              <select className="select" value={draft.name} onChange={(event) => set({ name: event.target.value })}>
                <option value="">Choose…</option>
                {draft.name && !listed.some(([value]) => value === draft.name) && <option value={draft.name}>{draft.name}</option>}
                {listed.map(([value, label]) => (
                  <option key={value} value={value}>
                    {label}
                  </option>
                ))}
              </select>
            </Field>
          )}
        </div>
      )}
      <div className="pair">
        <Field label="Amount">
          <input className="input num" inputMode="decimal" value={draft.amount} data-autofocus placeholder="500" onChange={(event) => set({ amount: event.target.value })} />
        </Field>
        <Field label="Of">
          <select className="select" value={draft.measure} disabled={changes} onChange={(event) => set({ measure: event.target.value as Draft["measure"] })}>
            <Options of={UNITS} />
          </select>
        </Field>
        <Field label="In each">
          <select className="select" value={draft.per} disabled={changes} onChange={(event) => set({ per: event.target.value as Per })}>
            {PERS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </Field>
      </div>
      <p className="dim">
        {valid ? `At most ${words(draft.measure, true)(amount)} in each ${draft.per} of the calendar, in UTC. ` : ""}
        {amount === 0 && valid ? (draft.measure === "money" ? "Only what costs nothing goes through." : "Nothing goes through.") : "A call reserves the most that it may use before a model is asked, so calls at the same time never exceed it."}
      </p>
    </FormDialog>
  );
}

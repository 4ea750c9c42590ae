import { useId, useState } from "react";
import { $api } from "../../api/client";
import type { Release } from "../../api/types";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { PARAMETERS, parametersOf, wrongOf, type Typed } from "./pins";

const [FIRST, MORE] = [PARAMETERS.slice(0, 4), PARAMETERS.slice(4)];

/** Pins exact versions and parameters as a draft; the gate and a second member decide what becomes of it. */
export function ReleaseForm({ model, prompt, close, done }: { model?: string; prompt?: string; close: () => void; done: (made: Release) => void }) {
  const outcome = useOutcome();
  const models = $api.useQuery("get", "/models", { params: { query: { limit: 200 } } });
  const prompts = $api.useQuery("get", "/prompts", { params: { query: { limit: 200 } } });
  const guards = $api.useQuery("get", "/guards", { params: { query: { limit: 200 } } });
  const [form, setForm] = useState({ name: "", model: model ?? "", prompt: prompt ?? "", guard: "", note: "" });
  const [typed, setTyped] = useState<Typed>({});
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const wrong = PARAMETERS.some((one) => wrongOf(one, typed[one.key]));
  const said = (made: Release) => (made.existed ? `${made.ref} pins just this already.` : `${made.ref} is a draft. The gate comes next.`);
  const finish = (made: Release) => {
    close();
    done(made);
  };
  const create = $api.useMutation("post", "/releases/{name}/versions", outcome(said, { done: finish, quiet: true }));
  const submit = () => {
    const { name, note } = form;
    const pins = { model: form.model.trim(), prompt: form.prompt.trim() || null, guard: form.guard.trim() || null };
    create.mutate({ params: { path: { name } }, body: { ...pins, parameters: parametersOf(typed), note } });
  };
  const number = (one: (typeof PARAMETERS)[number]) => (
    <Field key={one.key} label={one.label} wrong={wrongOf(one, typed[one.key])}>
      <input
        className="input num"
        inputMode="decimal"
        value={typed[one.key] ?? ""}
        placeholder="any"
        aria-invalid={Boolean(wrongOf(one, typed[one.key]))}
        onChange={(event) => setTyped({ ...typed, [one.key]: event.target.value })}
      />
    </Field>
  );
  return (
    <FormDialog
      title="Create a release"
      close={close}
      size={600}
      stays
      ready={NAME.test(form.name) && form.model.trim() !== "" && !wrong && !create.isPending}
      label="Create"
      error={create.error}
      go={submit}
    >
      <NameField value={form.name} set={(name) => set({ name })} placeholder="docs" note="A name that is there gets its next version." />
      <Pin label="Model" kind="model" value={form.model} set={(value) => set({ model: value })} known={models.data?.items.map((one) => one.ref) ?? []} />
      <div className="pair">
        <Pin label="Prompt" kind="prompt" empty="none: the caller's messages" value={form.prompt} set={(value) => set({ prompt: value })} known={prompts.data?.items.map((one) => `prompt/${one.name}@${one.latest}`) ?? []} />
        <Pin label="Guard policy" kind="guard" empty="none" value={form.guard} set={(value) => set({ guard: value })} known={guards.data?.items.map((one) => one.ref) ?? []} />
      </div>
      <fieldset className="plain">
        <legend>Parameters; what is left out is the caller's choice</legend>
        <div className="stack tight">
          <div className="pair">{FIRST.map(number)}</div>
          <details>
            <summary>More parameters</summary>
            <div className="stack tight">
              <div className="pair">
                {MORE.map(number)}
                <Field label="Held to the prompt's schema">
                  <select className="select" value={typed.constrained ?? ""} onChange={(event) => setTyped({ ...typed, constrained: event.target.value })}>
                    <option value="">as the caller says</option>
                    <option value="yes">always</option>
                    <option value="no">never</option>
                  </select>
                </Field>
              </div>
              <Field label="Stop at, one a line">
                <textarea className="area mono" value={typed.stop ?? ""} spellCheck={false} onChange={(event) => setTyped({ ...typed, stop: event.target.value })} />
              </Field>
            </div>
          </details>
        </div>
      </fieldset>
      <Field label="Note">
        <input className="input" value={form.note} maxLength={20_000} placeholder="What is better" onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

/** A reference, typed or chosen of the latest versions; an alias or a label is pinned as the version it names now. */
function Pin(props: { label: string; kind: string; empty?: string; value: string; set: (value: string) => void; known: string[] }) {
  const list = useId();
  const { kind, value } = props;
  const wrong = value.trim() !== "" && !value.trim().startsWith(`${kind}/`);
  return (
    <Field label={props.label} wrong={wrong && `${kind}/name, with @ and a version, a label or an alias`}>
      <input className="input mono" list={list} value={value} aria-invalid={wrong} placeholder={props.empty ?? `${kind}/base@1`} onChange={(event) => props.set(event.target.value)} />
      <datalist id={list}>
        {props.known.map((ref) => (
          <option key={ref} value={ref} />
        ))}
      </datalist>
    </Field>
  );
}

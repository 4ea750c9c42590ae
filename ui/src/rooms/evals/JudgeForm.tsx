import { useState } from "react";
import { $api } from "../../api/client";
import type { ScorerVersion } from "../../api/types";
import { numberOf, partsOf, wrongNumber } from "../../kit/bounds";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { NumberField, SuggestField } from "../../kit/fields";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";

const SHOWN = ["question", "reference", "contexts"] as const;
const WHO = /^(model|release|deployment)\/\S+$/;

/** Makes a judge, or the next version of one: who judges, by what rubric, on what scale. */
export function JudgeForm({ judge, close, done }: { judge?: ScorerVersion; close: () => void; done: (made: ScorerVersion) => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState(() => begin(judge));
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const scale = partsOf(form.scale);
  const wrong = wrongs(form, scale);
  const said = (made: ScorerVersion) => (made.existed ? `${made.ref} is just this already.` : `${made.metric} can score. Calibrate it before you rely on it.`);
  const finish = (made: ScorerVersion) => {
    close();
    done(made);
  };
  const create = $api.useMutation("post", "/scorers/judges/{name}/versions", outcome(said, { done: finish, quiet: true }));
  const submit = () => {
    const { name, pair, shows, note } = form;
    const numbers = { trials: Number(form.trials), temperature: Number(form.temperature), max_tokens: numberOf(form.max_tokens) ?? 300 };
    create.mutate({ params: { path: { name } }, body: { model: form.model.trim(), rubric: form.rubric.trim(), scale: pair ? null : scale, shows, pair, note, ...numbers } });
  };
  return (
    <FormDialog
      title={judge ? `Change ${judge.name}` : "Create a judge"}
      close={close}
      size={640}
      stays
      ready={NAME.test(form.name) && WHO.test(form.model.trim()) && form.rubric.trim() !== "" && Object.values(wrong).every((one) => !one) && !create.isPending}
      label={judge ? "Store a version" : "Create"}
      error={create.error}
      go={submit}
    >
      <div className="pair">
        {!judge && <NameField value={form.name} set={(name) => set({ name })} placeholder="helpful" note="A name that is there gets its next version." />}
        <Who value={form.model} set={(model) => set({ model })} wrong={wrong.model} />
      </div>
      <Field label="Rubric" note="What makes an answer good, as one would tell a person.">
        <textarea className="area tall" value={form.rubric} maxLength={20_000} placeholder="It solves what was asked, and says nothing that is not so." onChange={(event) => set({ rubric: event.target.value })} />
      </Field>
      <label className="row">
        <input type="checkbox" checked={form.pair} onChange={(event) => set({ pair: event.target.checked })} />
        It says which of two answers is better, asked in both orders
      </label>
      {!form.pair && (
        <Field label="Scale, from worst to best, one step a line" wrong={wrong.scale}>
          <textarea className="area" value={form.scale} aria-invalid={Boolean(wrong.scale)} onChange={(event) => set({ scale: event.target.value })} />
        </Field>
      )}
      <fieldset className="plain">
        <legend>What it sees besides the answer</legend>
        <div className="row wrap">
          {SHOWN.map((one) => (
            <label key={one} className="row">
              <input type="checkbox" checked={form.shows.includes(one)} onChange={() => set({ shows: SHOWN.filter((other) => (other === one) !== form.shows.includes(other)) })} />
              {one}
            </label>
          ))}
        </div>
      </fieldset>
      <div className="pair">
        <NumberField label="Asked so often" whole value={form.trials} set={(trials) => set({ trials })} wrong={wrong.trials} note="The score is the mean." />
        <NumberField label="Temperature" value={form.temperature} set={(temperature) => set({ temperature })} wrong={wrong.temperature} />
        <NumberField label="Max tokens" whole value={form.max_tokens} set={(max_tokens) => set({ max_tokens })} wrong={wrong.max_tokens} />
      </div>
      <Field label="Note">
        <input className="input" value={form.note} maxLength={20_000} placeholder="What is better" onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

function begin(version: ScorerVersion | undefined) {
  const judge = version?.judge;
  return {
    name: version?.name ?? "",
    model: judge?.model ?? "",
    rubric: judge?.rubric ?? "",
    scale: (judge?.scale ?? ["fail", "pass"]).join("\n"),
    shows: (judge?.shows ?? ["question"]) as (typeof SHOWN)[number][],
    pair: judge?.pair ?? false,
    trials: String(judge?.trials ?? 1),
    temperature: String(judge?.temperature ?? 0),
    max_tokens: String(judge?.max_tokens ?? 300),
    note: "",
  };
}

function wrongs(form: ReturnType<typeof begin>, scale: string[]) {
  const several = Number(form.trials) > 1 && Number(form.temperature) === 0;
  const steps = scale.length < 2 || scale.length > 11 ? "Two steps to eleven, one a line." : new Set(scale).size < scale.length ? "A step stands twice." : scale.some((one) => one.length > 60) ? "A step has at most 60 characters." : "";
  return {
    model: form.model.trim() !== "" && !WHO.test(form.model.trim()) && "model/, release/ or deployment/ and a name",
    scale: !form.pair && steps,
    trials: wrongNumber(form.trials, 1, 20, { whole: true }),
    temperature: wrongNumber(form.temperature, 0, 2) || (several && "Above 0, or all would say the same."),
    max_tokens: wrongNumber(form.max_tokens, 16, 4096, { whole: true }),
  };
}

/** The model that judges. */
function Who(props: { value: string; set: (value: string) => void; wrong: string | false }) {
  const models = $api.useQuery("get", "/models", { params: { query: { limit: 200 } } });
  const deployments = $api.useQuery("get", "/deployments", { params: { query: { limit: 200 } } });
  const known = [...(models.data?.items.map((one) => one.ref) ?? []), ...(deployments.data?.items.map((one) => `deployment/${one.name}`) ?? [])];
  return <SuggestField label="Who judges" placeholder="model/base@1" known={known} note="A deployment's answers may change under one; a version's do not." {...props} />;
}

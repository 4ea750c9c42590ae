import { useState } from "react";
import { $api } from "../../api/client";
import type { Run } from "../../api/types";
import { numberOf, partsOf, wrongNumber } from "../../kit/bounds";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { NumberField, SuggestField } from "../../kit/fields";
import { Options } from "../../kit/filters";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { ScorersField, SplitField } from "./AskedFields";

const NUMBERS = {
  repeats: ["Repeats of each row", 1, 100],
  limit: ["Rows at most", 1, 100_000],
  max_tokens: ["Max tokens", 1, 32_768],
  seed: ["Seed", 0, 2 ** 31 - 1],
  max_calls: ["Calls at most", 1, 10_000_000],
} as const;
type Whole = keyof typeof NUMBERS;

/** What an experiment is begun with. */
export interface Begin {
  dataset?: string;
  target?: string;
  prompt?: string;
}

/** Starts an experiment: which rows are asked of whom, how answers are scored, and what it may cost. */
export function ExperimentForm({ begin, close, done }: { begin: Begin; close: () => void; done: (run: Run) => void }) {
  const outcome = useOutcome();
  const known = useKnown();
  const [form, setForm] = useState({
    dataset: begin.dataset ?? "", target: begin.target ?? "", prompt: begin.prompt ?? "", model: "", split: "", scorers: "", name: "", note: "", against: "", constrained: "", reuse: false,
    repeats: "", limit: "", max_tokens: "", seed: "", max_calls: "", temperature: "", max_cost: "",
  });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const target = form.target.trim();
  const ofPrompt = target.startsWith("prompt/");
  const wrong = { ...wrongs(form), target: target !== "" && !/^((model|prompt|release|deployment)\/\S+|https?:\/\/\S+#\S+)$/.test(target) && "model/, prompt/, release/ or deployment/ and a name, or https://host/v1#model" };
  const finish = (run: Run) => {
    close();
    done(run);
  };
  const start = $api.useMutation("post", "/experiments", outcome("The experiment is on its way.", { done: finish, quiet: true }));
  const number = (name: Whole, note?: string) => (
    <NumberField label={NUMBERS[name][0]} whole value={form[name]} set={(value) => set({ [name]: value })} wrong={wrong[name]} note={note} placeholder="any" />
  );
  const submit = () => {
    const scorers = partsOf(form.scorers);
    start.mutate({
      body: {
        dataset: form.dataset.trim(),
        target,
        prompt: ofPrompt ? null : form.prompt.trim() || null,
        model: (ofPrompt && form.model.trim()) || null,
        split: form.split === "" ? null : form.split === "all" ? "" : (form.split as "test"),
        scorers: scorers.length ? scorers : null,
        constrained: form.constrained === "" ? null : form.constrained === "yes",
        temperature: numberOf(form.temperature),
        max_cost: numberOf(form.max_cost),
        ...(Object.fromEntries((Object.keys(NUMBERS) as Whole[]).map((name) => [name, numberOf(form[name])])) as Record<Whole, number | null>),
        concurrency: 8,
        reuse: form.reuse,
        fail_if_worse_than: form.against.trim(),
        name: form.name || null,
        note: form.note,
      },
    });
  };
  return (
    <FormDialog
      title="Run an experiment"
      close={close}
      size={680}
      stays
      ready={form.dataset.trim() !== "" && target !== "" && (form.name === "" || NAME.test(form.name)) && Object.values(wrong).every((one) => !one) && !start.isPending}
      label={start.isPending ? "Starting…" : "Run"}
      error={start.error}
      go={submit}
    >
      <div className="pair">
        <SuggestField label="Rows" first value={form.dataset} set={(dataset) => set({ dataset })} known={known.rows} wrong={wrong.dataset} placeholder="suite/docs" note="A suite says split, scorers and settings too; what is given here wins." />
        <SuggestField label="Target" value={form.target} set={(value) => set({ target: value })} known={known.targets} wrong={wrong.target} placeholder="release/docs@1" note="Who answers: a model, a prompt, a release, a deployment, or a server." />
      </div>
      <div className="pair">
        {ofPrompt ? (
          <SuggestField label="Answered by" value={form.model} set={(model) => set({ model })} known={known.models} placeholder="model/base@1" note="The model that answers the prompt." />
        ) : (
          <SuggestField label="Prompt" value={form.prompt} set={(prompt) => set({ prompt })} known={known.prompts} placeholder="none: the rows' messages" note="For a model or a server; a release brings its own." />
        )}
        <SplitField value={form.split} set={(split) => set({ split })} unsaid="as the suite says, or test" />
      </div>
      <ScorersField
        value={form.scorers}
        set={(scorers) => set({ scorers })}
        placeholder={"json\njudge:helpful"}
        note="Empty for those of the suite, or those that fit the rows. A name may have an argument, such as field:package."
      />
      <div>
        <select className="select" aria-label="Add a scorer" value="" onChange={(event) => set({ scorers: [...partsOf(form.scorers), event.target.value].join("\n") })}>
          <option value="">Add a scorer…</option>
          {known.scorers.map(({ name, summary }) => (
            <option key={name} value={name}>
              {`${name} – ${summary}`.slice(0, 90)}
            </option>
          ))}
        </select>
      </div>
      <div className="pair">
        {number("repeats", "Tells how far answers vary.")}
        {number("limit", "A sample, the same for every target.")}
      </div>
      <fieldset className="plain">
        <legend>Budget; where it is spent, the experiment ends with what it has</legend>
        <div className="pair">
          <NumberField label="Cost at most (US dollars)" value={form.max_cost} set={(max_cost) => set({ max_cost })} wrong={wrong.max_cost} placeholder="any" />
          {number("max_calls", "Those of judges count.")}
        </div>
      </fieldset>
      <details>
        <summary>Generation, a baseline and a note</summary>
        <div className="stack">
          <div className="pair">
            <NumberField label="Temperature" value={form.temperature} set={(temperature) => set({ temperature })} wrong={wrong.temperature} placeholder="any" />
            {number("max_tokens")}
            {number("seed")}
            <Field label="Held to the prompt's schema">
              <select className="select" value={form.constrained} onChange={(event) => set({ constrained: event.target.value })}>
                <Options of={{ "": "as the suite says, or not", yes: "yes", no: "no" }} />
              </select>
            </Field>
          </div>
          <SuggestField label="Fails if worse than" value={form.against} set={(against) => set({ against })} known={known.experiments} placeholder="nothing" note="An experiment by its name or id, or a label such as production, which is asked along." />
          <label className="row">
            <input type="checkbox" checked={form.reuse} onChange={(event) => set({ reuse: event.target.checked })} />
            Take answers of earlier experiments to the same questions
          </label>
          <Field label="Note">
            <input className="input" value={form.note} maxLength={20_000} onChange={(event) => set({ note: event.target.value })} />
          </Field>
        </div>
      </details>
      <NameField value={form.name} set={(name) => set({ name })} placeholder="none" note="To find and compare it by." />
    </FormDialog>
  );
}

function wrongs(form: Record<Whole | "temperature" | "max_cost" | "dataset", string>) {
  const whole = (name: Whole) => wrongNumber(form[name], NUMBERS[name][1], NUMBERS[name][2], { whole: true, empty: true });
  const rows = form.dataset.trim();
  return {
    dataset: rows !== "" && !/^(dataset|suite)\/\S+$/.test(rows) && "dataset/ or suite/ and a name",
    repeats: whole("repeats"),
    limit: whole("limit"),
    max_tokens: whole("max_tokens"),
    seed: whole("seed"),
    max_calls: whole("max_calls"),
    temperature: wrongNumber(form.temperature, 0, 2, { empty: true }),
    max_cost: wrongNumber(form.max_cost, 0, 1_000_000, { empty: true, over: true }),
  };
}

/** What there is to choose from. */
function useKnown() {
  const all = { params: { query: { limit: 200 } } };
  const of = <T, R>(query: { data?: { items: T[] } }, tell: (item: T) => R) => query.data?.items.map(tell) ?? [];
  const models = of($api.useQuery("get", "/models", all), (one) => one.ref);
  const prompts = of($api.useQuery("get", "/prompts", all), (one) => `prompt/${one.name}@${one.latest}`);
  const releases = of($api.useQuery("get", "/releases", all), (one) => one.ref);
  const deployments = of($api.useQuery("get", "/deployments", all), (one) => `deployment/${one.name}`);
  const suites = of($api.useQuery("get", "/suites", all), (one) => `suite/${one.name}`);
  const datasets = of($api.useQuery("get", "/datasets", all), (one) => `dataset/${one.name}`);
  const experiments = of($api.useQuery("get", "/experiments", all), (one) => one.name).filter(Boolean);
  const own = (kind: "judge" | "code") => ({ params: { path: { kind }, query: { limit: 200 } } });
  const judges = of($api.useQuery("get", "/scorers/versions/{kind}", own("judge")), (one) => ({ name: `judge:${one.name}`, summary: one.judge?.rubric ?? "" }));
  const codes = of($api.useQuery("get", "/scorers/versions/{kind}", own("code")), (one) => ({ name: `code:${one.name}`, summary: one.note }));
  const built = $api.useQuery("get", "/scorers").data?.filter((one) => one.argument !== "required" && !["judge", "code"].includes(one.name)) ?? [];
  return { rows: [...suites, ...datasets], targets: [...releases, ...deployments, ...models, ...prompts], models, prompts, experiments, scorers: [...judges, ...codes, ...built] };
}

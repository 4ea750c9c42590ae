import { useState } from "react";
import { $api } from "../../api/client";
import type { Suite } from "../../api/types";
import { numberOf, partsOf, wrongNumber } from "../../kit/bounds";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { NumberField, SuggestField } from "../../kit/fields";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { ScorersField, SplitField } from "./AskedFields";

/** Makes a suite, or the next version of one: which rows, which scorers, and how the rows are asked. */
export function SuiteForm({ suite, close, done }: { suite?: Suite; close: () => void; done: (made: Suite) => void }) {
  const outcome = useOutcome();
  const datasets = $api.useQuery("get", "/datasets", { params: { query: { limit: 200 } } });
  const [form, setForm] = useState(() => begin(suite));
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const scorers = partsOf(form.scorers);
  const wrong = {
    dataset: form.dataset.trim() !== "" && !/^dataset\/\S+$/.test(form.dataset.trim()) && "dataset/ and a name",
    limit: wrongNumber(form.limit, 1, 100_000, { whole: true, empty: true }),
    repeats: wrongNumber(form.repeats, 1, 100, { whole: true }),
    max_tokens: wrongNumber(form.max_tokens, 1, 32_768, { whole: true, empty: true }),
    temperature: wrongNumber(form.temperature, 0, 2, { empty: true }),
    seed: wrongNumber(form.seed, 0, 2 ** 31 - 1, { whole: true }),
  };
  const said = (made: Suite) => (made.existed ? `${made.ref} is just this already.` : `${made.ref} can be run.`);
  const finish = (made: Suite) => {
    close();
    done(made);
  };
  const create = $api.useMutation("post", "/suites/{name}/versions", outcome(said, { done: finish, quiet: true }));
  const submit = () =>
    create.mutate({
      params: { path: { name: form.name } },
      body: {
        dataset: form.dataset.trim(),
        scorers,
        split: form.split === "all" ? "" : (form.split as "test"),
        settings: {
          constrained: form.constrained,
          limit: numberOf(form.limit),
          repeats: Number(form.repeats),
          max_tokens: numberOf(form.max_tokens),
          temperature: numberOf(form.temperature),
          seed: Number(form.seed),
        },
        note: form.note,
      },
    });
  return (
    <FormDialog
      title={suite ? `Change ${suite.name}` : "Create a suite"}
      close={close}
      size={640}
      stays
      ready={NAME.test(form.name) && form.dataset.trim() !== "" && scorers.length > 0 && Object.values(wrong).every((one) => !one) && !create.isPending}
      label={suite ? "Store a version" : "Create"}
      error={create.error}
      go={submit}
    >
      {!suite && <NameField value={form.name} set={(name) => set({ name })} placeholder="faq" note="A name that is there gets its next version." />}
      <div className="pair">
        <SuggestField label="Rows" value={form.dataset} set={(dataset) => set({ dataset })} known={datasets.data?.items.map((one) => `dataset/${one.name}`) ?? []} wrong={wrong.dataset} placeholder="dataset/faq" note="The version that is there now is pinned." />
        <SplitField value={form.split} set={(split) => set({ split })} />
      </div>
      <ScorersField value={form.scorers} set={(scorers) => set({ scorers })} placeholder={"exact\njudge:helpful"} note="A name may have an argument, such as field:package or judge:helpful." />
      <div className="pair">
        <NumberField label="Rows at most" whole value={form.limit} set={(limit) => set({ limit })} wrong={wrong.limit} placeholder="all" note="A sample, the same for every target." />
        <NumberField label="Repeats of each row" whole value={form.repeats} set={(repeats) => set({ repeats })} wrong={wrong.repeats} note="Tells how far answers vary." />
      </div>
      <details>
        <summary>Generation</summary>
        <div className="stack">
          <div className="pair">
            <NumberField label="Temperature" value={form.temperature} set={(temperature) => set({ temperature })} wrong={wrong.temperature} placeholder="the prompt's" />
            <NumberField label="Max tokens" whole value={form.max_tokens} set={(max_tokens) => set({ max_tokens })} wrong={wrong.max_tokens} placeholder="the prompt's" />
            <NumberField label="Seed" whole value={form.seed} set={(seed) => set({ seed })} wrong={wrong.seed} />
          </div>
          <label className="row">
            <input type="checkbox" checked={form.constrained} onChange={(event) => set({ constrained: event.target.checked })} />
            Answers are held to the prompt's schema
          </label>
        </div>
      </details>
      <Field label="Note">
        <input className="input" value={form.note} maxLength={20_000} placeholder="What is better" onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

function begin(suite: Suite | undefined) {
  const settings = suite?.settings;
  const text = (value: number | null | undefined) => (value == null ? "" : String(value));
  return {
    name: suite?.name ?? "",
    dataset: suite?.dataset ?? "",
    split: suite ? suite.split || "all" : "test",
    scorers: (suite?.scorers ?? []).join("\n"),
    limit: text(settings?.limit),
    repeats: String(settings?.repeats ?? 1),
    max_tokens: text(settings?.max_tokens),
    temperature: text(settings?.temperature),
    seed: String(settings?.seed ?? 0),
    constrained: settings?.constrained ?? false,
    note: "",
  };
}

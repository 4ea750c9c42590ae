import { useState } from "react";
import { $api } from "../../api/client";
import type { Run } from "../../api/types";
import { Segments } from "../../kit/basics";
import { numberOf, partsOf, wrongNumber } from "../../kit/bounds";
import { Field, FormDialog } from "../../kit/Dialog";
import { NumberField, SuggestField } from "../../kit/fields";
import { duration, plural } from "../../kit/format";
import { useOutcome } from "../../kit/outcome";
import { levelsOf, sloOf, wrongLevels, type Arrivals } from "./loads";

const TARGETS = ["A deployment", "A server by URL"] as const;
const ARRIVALS = ["Open", "Closed"] as const;
const TIMES = { ttft: "First token (ms)", itl: "Between tokens (ms)", e2e: "Last token (ms)" } as const;

/** Starts a load test: whom it asks, how much at a time, and what counts as good. */
export function LoadTestForm({ deployment, close, done }: { deployment?: string; close: () => void; done: (run: Run) => void }) {
  const outcome = useOutcome();
  const [by, setBy] = useState<(typeof TARGETS)[number]>("A deployment");
  const [form, setForm] = useState({ deployment: deployment ?? "", url: "", arrivals: "Open" as (typeof ARRIVALS)[number], levels: "1, 2, 4, 8", seconds: "30", ttft: "", itl: "", e2e: "", prompts: "", max_tokens: "64", seed: "0" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const arrivals = form.arrivals.toLowerCase() as Arrivals;
  const [levels, prompts] = [levelsOf(form.levels), partsOf(form.prompts)];
  const slo = (name: keyof typeof TIMES) => wrongNumber(form[name], 0, 3_600_000, { empty: true, over: true });
  const wrong = {
    url: by === "A server by URL" && form.url.trim() !== "" && !/^https?:\/\/[^\s#]+#\S+$/.test(form.url.trim()) && "https://host/v1#model",
    levels: wrongLevels(form.levels, arrivals),
    seconds: wrongNumber(form.seconds, 1, 3600),
    max_tokens: wrongNumber(form.max_tokens, 1, 8192, { whole: true }),
    seed: wrongNumber(form.seed, 0, 2 ** 31, { whole: true }),
    prompts: prompts.length > 1000 && "At most 1,000.",
    ttft: slo("ttft"),
    itl: slo("itl"),
    e2e: slo("e2e"),
  };
  const right = Object.values(wrong).every((one) => !one);
  const target = by === "A deployment" ? form.deployment.trim() : form.url.trim();
  const finish = (run: Run) => {
    close();
    done(run);
  };
  const start = $api.useMutation("post", "/loadtests", outcome("The load test is on its way.", { done: finish, quiet: true }));
  const submit = () =>
    start.mutate({
      body: {
        deployment: by === "A deployment" ? target : "",
        url: by === "A server by URL" ? target : "",
        rates: arrivals === "open" ? levels : null,
        concurrency: arrivals === "closed" ? levels : null,
        seconds: Number(form.seconds),
        slo: sloOf(form),
        prompts: prompts.length ? prompts : null,
        max_tokens: Number(form.max_tokens),
        seed: numberOf(form.seed) ?? 0,
      },
    });
  return (
    <FormDialog
      title="Run a load test"
      close={close}
      size={600}
      stays
      ready={target !== "" && right && !start.isPending}
      label={start.isPending ? "Starting…" : "Run"}
      error={start.error}
      go={submit}
    >
      <div>
        <Segments value={by} options={TARGETS} label="What is asked" onChange={setBy} />
      </div>
      {by === "A deployment" ? (
        <Deployment value={form.deployment} set={(value) => set({ deployment: value })} />
      ) : (
        <SuggestField label="Server" value={form.url} set={(url) => set({ url })} known={[]} placeholder="https://host/v1#model" wrong={wrong.url} note="Its address, and behind # the model to ask for." />
      )}
      <div>
        <Segments value={form.arrivals} options={ARRIVALS} label="Arrivals" onChange={(chosen) => set({ arrivals: chosen, levels: form.levels })} />
      </div>
      <p className="dim">
        {arrivals === "open" ? "Requests come at random times, whatever is still being answered, as those of many users do." : "Each client asks again once it was answered, as a batch does."}
      </p>
      <div className="pair">
        <Field label={arrivals === "open" ? "Requests a second, level by level" : "Clients at a time, level by level"} wrong={wrong.levels}>
          <input className="input" value={form.levels} aria-invalid={Boolean(wrong.levels)} placeholder="1, 2, 4, 8" onChange={(event) => set({ levels: event.target.value })} />
        </Field>
        <NumberField label="Seconds a level" value={form.seconds} set={(seconds) => set({ seconds })} wrong={wrong.seconds} note={right && `${plural(levels.length, "level")}: about ${duration(levels.length * Number(form.seconds) * 1000)}.`} />
      </div>
      <fieldset className="plain">
        <legend>Objectives; a request that meets all of them is good</legend>
        <div className="pair">
          {(Object.keys(TIMES) as (keyof typeof TIMES)[]).map((name) => (
            <NumberField key={name} label={TIMES[name]} value={form[name]} set={(value) => set({ [name]: value })} wrong={wrong[name]} placeholder="none" />
          ))}
        </div>
      </fieldset>
      <details>
        <summary>What is asked for</summary>
        <div className="stack">
          <Field label="Prompts, one a line" wrong={wrong.prompts}>
            <textarea className="area" value={form.prompts} placeholder="Write a short paragraph about the sea." onChange={(event) => set({ prompts: event.target.value })} />
          </Field>
          <div className="pair">
            <NumberField label="Longest answer (tokens)" whole value={form.max_tokens} set={(max_tokens) => set({ max_tokens })} wrong={wrong.max_tokens} />
            <NumberField label="Seed" whole value={form.seed} set={(seed) => set({ seed })} wrong={wrong.seed} note="The same seed sends the same at the same times." />
          </div>
        </div>
      </details>
    </FormDialog>
  );
}

function Deployment(props: { value: string; set: (name: string) => void }) {
  const known = $api.useQuery("get", "/deployments", { params: { query: { limit: 200 } } });
  return <SuggestField label="Deployment" first placeholder="docs" known={known.data?.items.map((one) => one.name) ?? []} note="Of your environment. Its calls do not count as traffic, and a key is made for them that ends with the test." {...props} />;
}

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Run } from "../../api/types";
import { Field, FormDialog } from "../../kit/Dialog";
import { SuggestField } from "../../kit/fields";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { nameOf } from "./figures";

/** Sets a judge against people: it judges the rows of an experiment that people scored, where it has not yet. */
export function Calibrate({ judge, humans = [], close }: { judge?: string; humans?: readonly string[]; close: () => void }) {
  const navigate = useNavigate();
  const outcome = useOutcome();
  const [form, setForm] = useState({ judge: judge ?? "", experiment: "", human: humans[0] ?? "quality" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const judges = $api.useQuery("get", "/scorers/versions/{kind}", { params: { path: { kind: "judge" }, query: { limit: 200 } } }, { enabled: !judge });
  const experiments = $api.useQuery("get", "/experiments", { params: { query: { limit: 200 } } });
  const start = $api.useMutation(
    "post",
    "/scorers/calibrations",
    outcome((run: Run) => (run.state === "succeeded" ? "Calibrated." : "The judge is set against people."), { quiet: true, done: (run) => void navigate({ to: `/runs/${run.id}` }) }),
  );
  const wrong = form.human !== "" && !NAME.test(form.human) && "The name of a score.";
  return (
    <FormDialog
      title={judge ? `Calibrate ${judge}` : "Calibrate a judge"}
      close={close}
      size={520}
      ready={form.judge !== "" && form.experiment !== "" && NAME.test(form.human) && !start.isPending}
      label="Calibrate"
      error={start.error}
      go={() => start.mutate({ body: { ...form, selector: "" } })}
    >
      {!judge && (
        <Field label="Judge" note={judges.data?.items.length === 0 && "There is no judge yet: create one among the scorers."}>
          <select className="select" value={form.judge} onChange={(event) => set({ judge: event.target.value })}>
            <option value="">choose a judge</option>
            {judges.data?.items.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
          </select>
        </Field>
      )}
      <Field label="Experiment" note="The one whose answers people scored. The judge is asked about those that it has not judged.">
        <select className="select" value={form.experiment} onChange={(event) => set({ experiment: event.target.value })}>
          <option value="">choose an experiment</option>
          {experiments.data?.items.map((one) => (
            <option key={one.id} value={one.id}>
              {nameOf(one)} ({one.target || "no target"})
            </option>
          ))}
        </select>
      </Field>
      <SuggestField label="Score by people" value={form.human} set={(human) => set({ human })} known={humans} wrong={wrong} note="The name under which they scored: in a queue, that of the question." />
    </FormDialog>
  );
}

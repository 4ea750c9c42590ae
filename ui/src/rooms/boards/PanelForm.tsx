import { useState } from "react";
import { $api } from "../../api/client";
import type { Panel } from "../../api/types";
import { Field, FormDialog } from "../../kit/Dialog";
import { CHARTS, DIMENSIONS } from "./boards";

export const EMPTY: Panel = {
  title: "",
  measure: "requests",
  by: "",
  chart: "lines",
  where: { environment: "", deployment: "", release: "", model: "", prompt: "", user: "", service: "", kind: "", traffic: "live" },
};

/** What a panel shows: a measure, of which calls, by what, and how it is drawn. */
export function PanelForm({ panel, close, done }: { panel: Panel; close: () => void; done: (panel: Panel) => void }) {
  const [draft, setDraft] = useState<Panel>(panel);
  const set = (more: Partial<Panel>) => setDraft({ ...draft, ...more });
  const measures = $api.useQuery("get", "/boards/measures", {});
  const known = measures.data?.some((one) => one.name === draft.measure) || /^score\/.+/.test(draft.measure);
  return (
    <FormDialog title="Panel" close={close} size={600} stays ready={Boolean(known)} label="Keep" go={() => done({ ...draft, measure: draft.measure.trim() })}>
      <div className="pair">
        <Field label="Measure" note="One of the list, score/NAME, or score/NAME=LABEL.">
          <input className="input" list="measures" data-autofocus value={draft.measure} onChange={(event) => set({ measure: event.target.value })} />
          <datalist id="measures">
            {measures.data?.map((one) => (
              <option key={one.name} value={one.name}>
                {one.label}
              </option>
            ))}
            <option value="score/" />
          </datalist>
        </Field>
        <Field label="Drawn as">
          <select className="select" value={draft.chart} onChange={(event) => set({ chart: event.target.value as Panel["chart"] })}>
            {CHARTS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </Field>
        <Field label="By">
          <select className="select" value={draft.by} disabled={draft.chart === "number"} onChange={(event) => set({ by: event.target.value as Panel["by"] })}>
            <option value="">all together</option>
            {DIMENSIONS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </Field>
      </div>
      <Field label="Title">
        <input className="input" value={draft.title} maxLength={120} placeholder={measures.data?.find((one) => one.name === draft.measure)?.label ?? "what is measured"} onChange={(event) => set({ title: event.target.value })} />
      </Field>
      <fieldset className="plain">
        <legend>Whose calls; empty for all, !a,b leaves out</legend>
        <div className="pair">
          {DIMENSIONS.map((one) => (
            <Field key={one} label={one}>
              <input className="input" value={draft.where[one]} onChange={(event) => set({ where: { ...draft.where, [one]: event.target.value.trim() } })} />
            </Field>
          ))}
          <Field label="traffic" note="Live leaves out experiments, the playground, load tests, shadows and red teaming.">
            <select className="select" value={draft.where.traffic} onChange={(event) => set({ where: { ...draft.where, traffic: event.target.value as Panel["where"]["traffic"] } })}>
              <option>live</option>
              <option>all</option>
            </select>
          </Field>
        </div>
      </fieldset>
    </FormDialog>
  );
}

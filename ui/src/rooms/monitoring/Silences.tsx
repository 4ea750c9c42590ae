import { useState } from "react";
import { $api } from "../../api/client";
import type { Silence } from "../../api/types";
import { Blank, KeyValues, Status, Time } from "../../kit/basics";
import { Field, FormDialog } from "../../kit/Dialog";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { SEVERITIES } from "./kinds";

const HOURS: [string, number][] = [["an hour", 1], ["4 hours", 4], ["a day", 24], ["3 days", 72], ["a week", 168]];

const stateOf = (one: Silence, now = Date.now()) => (Date.parse(one.ends_at) <= now ? "expired" : Date.parse(one.starts_at) > now ? "queued" : "active");
const LABELS: Record<string, string> = { expired: "over", queued: "to come", active: "on" };

const COLUMNS: Column<Silence>[] = [
  { key: "state", label: "State", width: "96px", cell: (s) => <Status state={stateOf(s)} label={LABELS[stateOf(s)]} /> },
  { key: "monitor", label: "Monitor", width: "minmax(120px,1fr)", cell: (s) => s.monitor || <span className="dim">all</span> },
  { key: "target", label: "Target", width: "minmax(120px,1fr)", cell: (s) => s.target || <span className="dim">all</span> },
  { key: "severity", label: "Severity", width: "96px", cell: (s) => (s.severity ? <Status state={s.severity} /> : <span className="dim">all</span>) },
  { key: "ends", label: "Ends", width: "104px", cell: (s) => <Time at={s.ends_at} /> },
  { key: "why", label: "Why", width: "minmax(160px,2fr)", cell: (s) => <span className="dim">{s.why || "–"}</span> },
  { key: "by", label: "By", width: "96px", cell: (s) => s.created_by },
];

/** Times in which nobody is told of alerts; they open as ever. */
export function Silences({ making, close }: { making: boolean; close: () => void }) {
  const [url, setUrl] = useUrl();
  const query = $api.useInfiniteQuery("get", "/silences", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <>
      <List
        label="Silences"
        noun="silence"
        {...paged(query)}
        columns={COLUMNS}
        id={(s) => s.id}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(s) => s.monitor || s.target || "All alerts"}
        peek={(s) => <Detail key={s.id} silence={s} />}
        blank={<Blank icon="pause" title="No silences" text="While a silence lasts nobody is told of the alerts that it names; they open and end as ever." code={'mainspring silence create 2030-01-01T06:00:00Z \\\n  --monitor slow --why "Load test over night."'} />}
      />
      {making && <SilenceForm close={close} first={{}} />}
    </>
  );
}

function Detail({ silence }: { silence: Silence }) {
  const who = useWho();
  const outcome = useOutcome();
  const again = { until: silence.ends_at, since: silence.starts_at, monitor: silence.monitor, target: silence.target, severity: (silence.severity || null) as "info" | null, why: silence.why };
  const create = $api.useMutation("post", "/silences", outcome("The silence is back."));
  const end = $api.useMutation("delete", "/silences/{silence_id}", outcome("The silence is over.", { undo: () => create.mutate({ body: again }) }));
  return (
    <div className="stack">
      {may(who.data, "silence.write") && stateOf(silence) !== "expired" && (
        <button type="button" className="btn" style={{ alignSelf: "flex-start" }} disabled={end.isPending} onClick={() => end.mutate({ params: { path: { silence_id: silence.id } } })}>
          End it now
        </button>
      )}
      <KeyValues
        items={[
          ["State", <Status key="s" state={stateOf(silence)} label={LABELS[stateOf(silence)]} />],
          ["Monitor", silence.monitor || "all"],
          ["Target", silence.target || "all"],
          ["Severity", silence.severity || "all"],
          ["From", <Time key="f" at={silence.starts_at} />],
          ["Until", <Time key="u" at={silence.ends_at} />],
          ["Why", silence.why || "–"],
          ["Made", <span key="c"><Time at={silence.created_at} /> by {silence.created_by}</span>],
        ]}
      />
    </div>
  );
}

/** Keeps alerts quiet for a while. */
export function SilenceForm({ close, first }: { close: () => void; first: { monitor?: string; target?: string } }) {
  const outcome = useOutcome();
  const monitors = $api.useQuery("get", "/monitors", { params: { query: { limit: 500 } } });
  const [form, setForm] = useState({ monitor: first.monitor ?? "", target: first.target ?? "", severity: "", hours: 4, why: "" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const create = $api.useMutation("post", "/silences", outcome("Nobody is told until then.", { done: close, quiet: true }));
  return (
    <FormDialog
      title="Create a silence"
      close={close}
      size={520}
      ready={!create.isPending}
      label="Silence"
      error={create.error}
      go={() => {
        const until = new Date(Date.now() + form.hours * 3_600_000).toISOString();
        create.mutate({ body: { until, monitor: form.monitor, target: form.target.trim(), severity: (form.severity || null) as "info" | null, why: form.why } });
      }}
    >
      <div className="pair">
        <Field label="Monitor">
          <select className="select" value={form.monitor} onChange={(event) => set({ monitor: event.target.value })}>
            <option value="">all monitors</option>
            {monitors.data?.items.map((one) => (
              <option key={one.name}>{one.name}</option>
            ))}
          </select>
        </Field>
        <Field label="Target">
          <input className="input" value={form.target} placeholder="any" onChange={(event) => set({ target: event.target.value })} />
        </Field>
        <Field label="Severity">
          <select className="select" value={form.severity} onChange={(event) => set({ severity: event.target.value })}>
            <option value="">any</option>
            {SEVERITIES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </Field>
        <Field label="For">
          <select className="select" value={form.hours} onChange={(event) => set({ hours: Number(event.target.value) })}>
            {HOURS.map(([label, hours]) => (
              <option key={hours} value={hours}>
                {label}
              </option>
            ))}
          </select>
        </Field>
      </div>
      <Field label="Why">
        <input className="input" value={form.why} maxLength={2000} onChange={(event) => set({ why: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

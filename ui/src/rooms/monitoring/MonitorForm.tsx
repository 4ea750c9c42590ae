import { useState } from "react";
import { $api } from "../../api/client";
import type { BackTest, Monitor, MonitorKind } from "../../api/types";
import { Segments } from "../../kit/basics";
import { Field, FormDialog, NameField, Refused } from "../../kit/Dialog";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { useWho } from "../../shell/session";
import { drafted, meant, SEVERITIES, settingsOf, words } from "./kinds";
import { Looks } from "./Looks";
import { SettingsFields } from "./SettingsFields";

const DAYS = ["1", "7", "28"] as const;

interface Draft {
  name: string;
  kind: string;
  target: string;
  environment: string;
  every: string;
  window: string;
  severity: Monitor["severity"];
  channels: string[];
  queue: string;
  rollback: boolean;
  refresh: string;
  settings: Record<string, string>;
}

/** Makes a monitor, or changes one; what it would have done in the past is drawn before it is switched on. */
export function MonitorForm({ kinds, monitor, close, done }: { kinds: MonitorKind[]; monitor?: Monitor; close: () => void; done: (name: string) => void }) {
  const who = useWho();
  const outcome = useOutcome();
  const [draft, setDraft] = useState<Draft>(() => begin(kinds, monitor, who.data?.environment ?? ""));
  const [days, setDays] = useState<(typeof DAYS)[number]>("7");
  const set = (more: Partial<Draft>) => setDraft((old) => ({ ...old, ...more }));
  const kind = kinds.find((one) => one.name === draft.kind);
  const settings = settingsOf(kind);
  const given = meant(settings, draft.settings);
  const times = { every_minutes: Number(draft.every), window_minutes: Number(draft.window) };
  const ready = given !== undefined && NAME.test(draft.name) && Object.values(times).every((value) => Number.isInteger(value) && value > 0);
  const finish = (made: Monitor) => {
    close();
    done(made.name);
  };
  const create = $api.useMutation("post", "/monitors", outcome((made: Monitor) => `${made.name} is ${made.enabled ? "on" : "there, switched off"}.`, { done: finish, quiet: true }));
  const update = $api.useMutation("patch", "/monitors/{name}", outcome("Changed.", { done: finish, quiet: true }));
  const tried = $api.useMutation("post", "/monitors/preview");
  const actions = [
    ...(draft.queue ? [{ do: "queue" as const, queue: draft.queue, deployment: "" }] : []),
    ...(draft.rollback ? [{ do: "rollback" as const, queue: "", deployment: "" }] : []),
    ...(draft.refresh ? [{ do: "refresh" as const, queue: "", deployment: draft.refresh }] : []),
  ];
  const shared = { settings: given ?? {}, ...times, severity: draft.severity, channels: draft.channels, actions };
  const where = { target: draft.target.trim(), environment: draft.environment };
  const submit = (enabled: boolean) => {
    if (monitor) update.mutate({ params: { path: { name: monitor.name } }, body: { ...shared, enabled: monitor.enabled } });
    else create.mutate({ body: { name: draft.name, kind: draft.kind, ...where, ...shared, enabled } });
  };
  const busy = create.isPending || update.isPending;
  return (
    <FormDialog
      title={monitor ? `Change ${monitor.name}` : "Create a monitor"}
      close={close}
      size={760}
      stays
      ready={ready && !busy}
      label={monitor ? "Change" : "Create and switch on"}
      error={create.error ?? update.error}
      go={() => submit(true)}
      also={
        !monitor && (
          <button type="button" className="btn" disabled={!ready || busy} onClick={() => submit(false)}>
            Create, switched off
          </button>
        )
      }
    >
      {!monitor && <What kinds={kinds} draft={draft} set={set} />}
      {kind && <p className="dim">{kind.summary}</p>}
      <SettingsFields settings={settings} draft={draft.settings} set={(more) => set({ settings: { ...draft.settings, ...more } })} />
      <div className="pair">
        <Field label="Looks every (minutes)">
          <input className="input num" inputMode="numeric" value={draft.every} onChange={(event) => set({ every: event.target.value })} />
        </Field>
        <Field label="Over the last (minutes)">
          <input className="input num" inputMode="numeric" value={draft.window} onChange={(event) => set({ window: event.target.value })} />
        </Field>
        <Field label="Severity">
          <select className="select" value={draft.severity} onChange={(event) => set({ severity: event.target.value as Draft["severity"] })}>
            {SEVERITIES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </Field>
      </div>
      <Consequences draft={draft} set={set} deployment={where.target !== "" && !where.target.startsWith("release/")} />
      <section className="card" aria-label="On the past">
        <header>
          <h2>On the past</h2>
          <div className="page-actions">
            <Segments value={days} options={DAYS} label="Days" onChange={setDays} />
            <span className="dim">days</span>
            <button type="button" className="btn" disabled={!given || tried.isPending} onClick={() => tried.mutate({ body: { kind: draft.kind, ...where, settings: given!, ...times, days: Number(days) } })}>
              {tried.isPending ? "Looking…" : "Try it"}
            </button>
          </div>
        </header>
        <div className="inner">
          <Tried found={tried.data} settings={draft.settings} />
          <Refused error={tried.error} />
        </div>
      </section>
    </FormDialog>
  );
}

function begin(kinds: MonitorKind[], monitor: Monitor | undefined, environment: string): Draft {
  const kind = monitor?.kind ?? (kinds.some((one) => one.name === "metric") ? "metric" : (kinds[0]?.name ?? ""));
  return {
    name: monitor?.name ?? "",
    kind,
    target: monitor?.target ?? "",
    environment: monitor?.environment ?? environment,
    every: String(monitor?.every_minutes ?? 15),
    window: String(monitor?.window_minutes ?? 60),
    severity: monitor?.severity ?? "warning",
    channels: monitor?.channels ?? [],
    queue: monitor?.actions.find((one) => one.do === "queue")?.queue ?? "",
    rollback: monitor?.actions.some((one) => one.do === "rollback") ?? false,
    refresh: monitor?.actions.find((one) => one.do === "refresh")?.deployment ?? "",
    settings: drafted(settingsOf(kinds.find((one) => one.name === kind)), monitor?.settings),
  };
}

/** What is watched: the kind, and whose calls. */
function What({ kinds, draft, set }: { kinds: MonitorKind[]; draft: Draft; set: (more: Partial<Draft>) => void }) {
  const environments = $api.useQuery("get", "/environments", { params: { query: { limit: 500 } } });
  return (
    <div className="pair">
      <NameField value={draft.name} set={(name) => set({ name })} placeholder="slow-answers" />
      <Field label="Kind">
        <select
          className="select"
          value={draft.kind}
          onChange={(event) => set({ kind: event.target.value, settings: drafted(settingsOf(kinds.find((one) => one.name === event.target.value))) })}
        >
          {kinds.map((one) => (
            <option key={one.name} value={one.name}>
              {words(one.name)}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Target" note="A deployment, or release/docs@2.">
        <input className="input" value={draft.target} placeholder="all traffic" onChange={(event) => set({ target: event.target.value })} />
      </Field>
      <Field label="Environment">
        <select className="select" value={draft.environment} onChange={(event) => set({ environment: event.target.value })}>
          <option value="">all</option>
          {environments.data?.items.map((one) => (
            <option key={one.name}>{one.name}</option>
          ))}
        </select>
      </Field>
    </div>
  );
}

/** Who is told, and what is set going. */
function Consequences({ draft, set, deployment }: { draft: Draft; set: (more: Partial<Draft>) => void; deployment: boolean }) {
  const channels = $api.useQuery("get", "/channels", { params: { query: { limit: 500 } } });
  const queues = $api.useQuery("get", "/queues", { params: { query: { limit: 500 } } });
  const { environment } = draft;
  const policies = $api.useQuery("get", "/refresh-policies", { params: { query: { environment, limit: 1000 } } }, { enabled: environment !== "" });
  const refreshed = [...new Set([...(environment ? (policies.data?.items.map((one) => one.deployment) ?? []) : []), ...(draft.refresh ? [draft.refresh] : [])])];
  const toggle = (name: string) => set({ channels: draft.channels.includes(name) ? draft.channels.filter((one) => one !== name) : [...draft.channels, name] });
  return (
    <fieldset className="plain">
      <legend>When it opens an alert</legend>
      <div className="stack tight">
        <div className="row wrap">
          <span className="dim">{draft.channels.length ? "It tells" : "It tells every channel of the project"}</span>
          {channels.data?.items.map((one) => (
            <label key={one.name} className="checks-line">
              <input type="checkbox" checked={draft.channels.includes(one.name)} onChange={() => toggle(one.name)} />
              <span>{one.name}</span>
            </label>
          ))}
        </div>
        <div className="row wrap">
          <label className="row">
            <span className="dim">Its traces go into</span>
            <select className="select" value={draft.queue} onChange={(event) => set({ queue: event.target.value })}>
              <option value="">no queue</option>
              {queues.data?.items.map((one) => (
                <option key={one.name}>{one.name}</option>
              ))}
            </select>
          </label>
          <label className="checks-line">
            <input type="checkbox" checked={draft.rollback} disabled={!deployment} onChange={(event) => set({ rollback: event.target.checked })} />
            <span>The deployment is rolled back.</span>
          </label>
          <label className="row">
            <span className="dim">A refresh is started for</span>
            <select className="select" value={draft.refresh} disabled={refreshed.length === 0} onChange={(event) => set({ refresh: event.target.value })}>
              <option value="">{refreshed.length ? "no deployment" : "no deployment: none has a refresh policy here"}</option>
              {refreshed.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        </div>
      </div>
    </fieldset>
  );
}

function Tried({ found, settings }: { found: BackTest | undefined; settings: Record<string, string> }) {
  if (!found) return <p className="dim">See what it would have found at each look, and how many alerts it would have opened. Nothing is stored, and nobody is told.</p>;
  const bound = settings.bound ?? settings.max_share ?? settings.max_ms ?? settings.max_usd ?? settings.factor;
  const drawn = settings.rule === "change" || settings.rule === "anomaly" || !bound ? null : Number(bound);
  return (
    <div className="stack tight">
      <p>{found.summary}</p>
      <Looks looks={found.looks} threshold={drawn} label="What it would have found" height={180} />
    </div>
  );
}

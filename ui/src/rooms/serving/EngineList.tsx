import { useState } from "react";
import { $api } from "../../api/client";
import type { Engine } from "../../api/types";
import { Blank, Id, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { Field, FormDialog } from "../../kit/Dialog";
import { Choose, Filters, Options, Words, holds } from "../../kit/filters";
import { bytes, count, duration, figure, percent, plural, short } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Meter } from "../../kit/Meter";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { call } from "./snippets";

const STATES = ["starting", "ready", "draining", "failed"] as const;
const idOf = (engine: Engine) => `${engine.base.slice(0, 16)}${engine.adapter && `-${engine.adapter.slice(0, 16)}`}`;
const nameOf = (engine: Engine) => engine.model.replace(/^model\//, "") || engine.base.slice(0, 12);
const busy = (engine: Engine) => ({ spent: engine.running, held: 0, amount: Math.max(1, engine.slots) });
const cached = (engine: Engine) => (engine.cached_tokens + engine.prompt_tokens ? engine.cached_tokens / (engine.cached_tokens + engine.prompt_tokens) : null);

const COLUMNS: Column<Engine>[] = [
  { key: "state", label: "State", width: "100px", cell: (e) => <Status state={e.state} /> },
  { key: "model", label: "Model", width: "minmax(140px,1.4fr)", cell: (e) => nameOf(e) },
  { key: "runtime", label: "Runtime", width: "92px", cell: (e) => <span className="dim">{e.runtime}</span> },
  { key: "busy", label: "Slots busy", width: "minmax(72px,0.6fr)", cell: (e) => <Meter used={busy(e)} label={`Slots of ${nameOf(e)}`} words={count} /> },
  { key: "running", label: "Runs", width: "48px", numeric: true, cell: (e) => <span className="num">{count(e.running)}</span> },
  { key: "waiting", label: "Waits", width: "48px", numeric: true, cell: (e) => <span className="num">{count(e.waiting)}</span> },
  { key: "speed", label: "Tokens/s", width: "72px", numeric: true, cell: (e) => <span className="num">{e.tokens_per_second ? figure(e.tokens_per_second) : "–"}</span> },
  { key: "memory", label: "Memory", width: "72px", numeric: true, cell: (e) => <span className="num">{e.rss_bytes ? bytes(e.rss_bytes) : "–"}</span> },
  { key: "restarts", label: "Restarts", width: "64px", numeric: true, cell: (e) => <span className={e.restarts ? "num failed" : "num"}>{count(e.restarts)}</span> },
  { key: "used", label: "Last used", width: "84px", cell: (e) => <Time at={Date.now() - e.idle_seconds * 1000} /> },
];

/** The local model servers: what each holds, whether it is well, how busy it is, and what it costs in memory. */
export function EngineList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const [loading, setLoading] = useState(false);
  const query = $api.useQuery("get", "/engines", {}, { refetchInterval: 3_000 });
  const items = query.data?.filter((engine) => (!url.state || engine.state === url.state) && holds(url.q, engine.model, engine.runtime));
  const memory = query.data?.reduce((sum, engine) => sum + engine.rss_bytes, 0) ?? 0;
  const writes = may(who.data, "engine.write");
  return (
    <Page
      title="Engines"
      flush
      badge={query.data?.length ? <span className="dim">{`${plural(query.data.length, "engine")}, ${bytes(memory)} of memory`}</span> : undefined}
      actions={<Primary may={writes} go={() => setLoading(true)}>Load a model</Primary>}
    >
      <Filters>
        <Words placeholder="Model or runtime" />
        <Choose name="state" label="State" any="Any state" choices={STATES} />
      </Filters>
      <List
        label="Engines"
        noun="engine"
        items={items}
        error={query.error}
        retry={query.refetch}
        columns={COLUMNS}
        id={idOf}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={nameOf}
        peek={(engine) => <Detail key={idOf(engine)} engine={engine} writes={writes} />}
        blank={
          <Blank
            icon="engine"
            narrowed={Boolean(url.state || url.q) && "No engine matches"}
            title="No engine runs"
            text="An engine is a server process of one local model. The first call to a model starts it; the one that was used least leaves when others need its place."
            code={`mainspring engine load smollm2\n\n${call("model/smollm2")}`}
          />
        }
      />
      {loading && <Load close={() => setLoading(false)} />}
    </Page>
  );
}

function Detail({ engine, writes }: { engine: Engine; writes: boolean }) {
  const outcome = useOutcome();
  const [, name, selector] = /^model\/([^@]+)@(.+)$/.exec(engine.model) ?? [];
  const call = { params: { path: { name: name ?? "" } }, body: { selector: selector ?? "" } };
  const again = $api.useMutation("post", "/engines/{name}/load", outcome(`${nameOf(engine)} is loaded again.`));
  const undo = () => again.mutate({ ...call, body: { selector: selector ?? "", keep_alive: engine.keep_alive } });
  const unload = $api.useMutation("post", "/engines/{name}/unload", outcome(`${nameOf(engine)} leaves once it has answered.`, { undo }));
  const keep = $api.useMutation("post", "/engines/{name}/load", outcome(`${nameOf(engine)} stays.`));
  return (
    <div className="stack">
      {writes && name && (
        <div className="row">
          <button type="button" className="btn" disabled={unload.isPending} onClick={() => unload.mutate(call)}>
            Unload
          </button>
          {engine.keep_alive >= 0 && (
            <button type="button" className="btn" disabled={keep.isPending} onClick={() => keep.mutate({ ...call, body: { selector: selector ?? "", keep_alive: -1 } })}>
              Keep it loaded
            </button>
          )}
        </div>
      )}
      {engine.state === "failed" && <p className="notice error">{engine.error || "It does not come up. The server's log folder holds what it said."}</p>}
      <Stats
        items={[
          { label: "Answering", value: count(engine.running), note: `of ${plural(engine.slots, "slot")}` },
          { label: "Waiting", value: count(engine.waiting) },
          { label: "Tokens/s", value: engine.tokens_per_second ? figure(engine.tokens_per_second) : "–" },
        ]}
      />
      <KeyValues
        items={[
          ["State", <Status key="s" state={engine.state} />],
          ["Model", engine.model ? <RefLink key="m" value={engine.model} /> : <span className="dim">not the latest version of any</span>],
          ["Runtime", engine.runtime],
          ["Weights", <Id key="w" value={engine.base} length={16} />],
          ["Adapter", engine.adapter ? <Id key="a" value={engine.adapter} length={16} /> : <span className="dim">none</span>],
          ["Context", `${count(engine.context)} tokens in each slot, ${percent(engine.cache_usage, 0)} of all in use`],
          ["Memory", `${bytes(engine.rss_bytes)}, expected at most ${bytes(engine.memory_bytes)}`],
          ["Tokens read", `${short(engine.prompt_tokens)}, and ${short(engine.cached_tokens)} from the prefix cache${cached(engine) === null ? "" : ` (${percent(cached(engine), 0)})`}`],
          ["Tokens written", short(engine.generated_tokens)],
          ["Restarts", plural(engine.restarts, "restart")],
          ["Process", engine.pid || <span className="dim">none</span>],
          ["Idle", duration(engine.idle_seconds * 1000)],
          ["Unloaded", engine.keep_alive < 0 ? "never by itself" : `after ${duration(engine.keep_alive * 1000)} of idleness`],
        ]}
      />
    </div>
  );
}

const STAYS: Record<string, string> = { "": "as the setting says", "300": "5 minutes idle", "3600": "an hour idle", "-1": "until unloaded" };

function Load({ close }: { close: () => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({ model: "", stays: "" });
  const models = $api.useQuery("get", "/models", { params: { query: { limit: 500 } } });
  const local = models.data?.items.filter((one) => one.files.length > 0) ?? [];
  const load = $api.useMutation("post", "/engines/{name}/load", outcome((made: Engine) => `${nameOf(made)} is loaded.`, { done: close, quiet: true }));
  return (
    <FormDialog
      title="Load a model"
      close={close}
      ready={form.model !== "" && !load.isPending}
      label={load.isPending ? "Loading…" : "Load"}
      error={load.error}
      go={() => load.mutate({ params: { path: { name: form.model } }, body: { selector: "", keep_alive: form.stays ? Number(form.stays) : null } })}
    >
      <Field label="Model" note="Its latest version. The first call would load it too; loading it now spares that call the wait.">
        <select className="select" value={form.model} data-autofocus onChange={(event) => setForm({ ...form, model: event.target.value })}>
          <option value="">Choose…</option>
          {local.map((one) => (
            <option key={one.name} value={one.name}>
              {one.ref.replace(/^model\//, "")}
            </option>
          ))}
        </select>
      </Field>
      <Field label="It stays">
        <select className="select" value={form.stays} onChange={(event) => setForm({ ...form, stays: event.target.value })}>
          <Options of={STAYS} />
        </select>
      </Field>
    </FormDialog>
  );
}

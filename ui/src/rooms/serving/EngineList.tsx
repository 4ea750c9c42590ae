import { $api } from "../../api/client";
import type { Engine, ModelVersion } from "../../api/types";
import { Blank, Id, KeyValues, Status, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { Choose, Filters } from "../../kit/filters";
import { bytes, count, duration, plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";

const STATES = ["starting", "ready", "draining", "failed"] as const;
const idOf = (engine: Engine) => `${engine.base.slice(0, 16)}${engine.adapter && `-${engine.adapter.slice(0, 16)}`}`;
const since = (engine: Engine) => Date.now() - engine.idle_seconds * 1000;

/** The local model servers: what each holds, whether it is well, and what it costs in memory. */
export function EngineList() {
  const [url, setUrl] = useUrl();
  const query = $api.useQuery("get", "/engines", {}, { refetchInterval: 3_000 });
  const models = $api.useQuery("get", "/models", { params: { query: { limit: 500 } } }, { staleTime: 60_000 });
  const named = namesOf(models.data?.items ?? []);
  const items = query.data?.filter((engine) => !url.state || engine.state === url.state);
  const memory = query.data?.reduce((sum, engine) => sum + engine.rss_bytes, 0) ?? 0;
  return (
    <Page title="Engines" flush badge={query.data?.length ? <span className="dim">{`${plural(query.data.length, "engine")}, ${bytes(memory)} of memory`}</span> : undefined}>
      <Filters>
        <Choose name="state" label="State" any="Any state" choices={STATES} />
      </Filters>
      <List
        label="Engines"
        noun="engine"
        items={items}
        error={query.error}
        retry={query.refetch}
        columns={columns(named)}
        id={idOf}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(engine) => named(engine.base)?.ref ?? engine.base.slice(0, 12)}
        peek={(engine) => <Detail engine={engine} named={named} />}
        blank={
          <Blank
            icon="engine"
            title={url.state ? `No engine is ${url.state}` : "No engine runs"}
            text="An engine is a server process of one local model. The first call to a model starts it; the one that was used least leaves when others need its place."
            code={`mainspring model pull smollm2\ncurl ${location.origin}/v1/chat/completions -H "Authorization: Bearer ms_…" \\\n  -H "Content-Type: application/json" \\\n  -d '{"model": "model/smollm2", "messages": [{"role": "user", "content": "Hello"}]}'`}
          />
        }
      />
    </Page>
  );
}

type Named = (sha256: string) => ModelVersion | undefined;

/** The model versions by the hash of their first file, which is the one that an engine loads. */
function namesOf(models: ModelVersion[]): Named {
  const known = new Map(models.flatMap((model) => model.files.map((file) => [file.sha256, model] as const)));
  return (sha256) => known.get(sha256);
}

function Loaded({ sha256, named }: { sha256: string; named: Named }) {
  const model = named(sha256);
  return model ? <>{model.ref.replace(/^model\//, "")}</> : <code className="dim">{sha256.slice(0, 12)}…</code>;
}

function columns(named: Named): Column<Engine>[] {
  return [
    { key: "state", label: "State", width: "100px", cell: (e) => <Status state={e.state} /> },
    { key: "base", label: "Model", width: "minmax(140px,1fr)", cell: (e) => <Loaded sha256={e.base} named={named} /> },
    { key: "adapter", label: "Adapter", width: "minmax(120px,1fr)", cell: (e) => (e.adapter ? <Loaded sha256={e.adapter} named={named} /> : <span className="dim">none</span>) },
    { key: "context", label: "Context", width: "80px", numeric: true, cell: (e) => <span className="num">{count(e.context)}</span> },
    { key: "slots", label: "Slots", width: "56px", numeric: true, cell: (e) => <span className="num">{count(e.slots)}</span> },
    { key: "memory", label: "Memory", width: "80px", numeric: true, cell: (e) => <span className="num">{bytes(e.rss_bytes)}</span> },
    { key: "restarts", label: "Restarts", width: "72px", numeric: true, cell: (e) => <span className={e.restarts ? "num failed" : "num"}>{count(e.restarts)}</span> },
    { key: "used", label: "Last used", width: "92px", cell: (e) => <Time at={since(e)} /> },
  ];
}

const SHOWN = new Set(["base", "adapter", "context", "slots", "state", "pid", "restarts", "rss_bytes", "idle_seconds"]);

function Detail({ engine, named }: { engine: Engine; named: Named }) {
  const model = named(engine.base);
  const adapter = named(engine.adapter);
  const rest = Object.fromEntries(Object.entries(engine).filter(([name]) => !SHOWN.has(name)));
  return (
    <div className="stack">
      {engine.state === "failed" && <p className="notice error">It does not come up. The server&apos;s log folder holds what it said.</p>}
      <KeyValues
        items={[
          ["State", <Status key="s" state={engine.state} />],
          ["Model", model ? <RefLink key="m" value={model.ref} /> : <span className="dim">not registered here</span>],
          ["Weights", <Id key="w" value={engine.base} length={16} />],
          ["Adapter", engine.adapter ? <span key="a">{adapter && <RefLink value={adapter.ref} />} <Id value={engine.adapter} length={16} /></span> : <span className="dim">none</span>],
          ["Context", `${count(engine.context)} tokens in each of ${plural(engine.slots, "slot")}`],
          ["Memory", bytes(engine.rss_bytes)],
          ["Process", engine.pid || <span className="dim">none</span>],
          ["Restarts", plural(engine.restarts, "restart")],
          ["Idle", duration(engine.idle_seconds * 1000)],
        ]}
      />
      {Object.keys(rest).length > 0 && <Facts value={rest} />}
    </div>
  );
}

import { useState } from "react";
import { $api } from "../../api/client";
import type { CacheEvaluation, CachePolicy, CacheStats } from "../../api/types";
import { Blank, Card, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { Refused } from "../../kit/Dialog";
import { Choose, Filters, holds, Words } from "../../kit/filters";
import { bytes, count, duration, figure, money, percent, short } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary } from "../../kit/page";
import { may, useWho } from "../../shell/session";
import { CacheForm } from "./CacheForm";
import { useEnvironment } from "./DeploymentList";

interface Line {
  name: string;
  stats: CacheStats | undefined;
  policy: CachePolicy | undefined;
}

const COLUMNS: Column<Line>[] = [
  { key: "name", label: "Deployment or route", width: "minmax(160px,1.6fr)", cell: (one) => one.name },
  { key: "mode", label: "Mode", width: "104px", cell: (one) => <Mode line={one} /> },
  { key: "entries", label: "Kept", width: "80px", numeric: true, cell: (one) => <span className="num">{count(one.stats?.entries ?? 0)}</span> },
  { key: "bytes", label: "Size", width: "80px", numeric: true, cell: (one) => <span className="num">{bytes(one.stats?.bytes ?? 0)}</span> },
  { key: "hits", label: "Hits", width: "80px", numeric: true, cell: (one) => <span className="num">{count(one.stats?.hits ?? 0)}</span> },
  { key: "rate", label: "Hit rate", width: "80px", numeric: true, cell: (one) => <span className="num">{percent(one.stats?.hit_rate)}</span> },
  { key: "saved", label: "Saved", width: "88px", numeric: true, cell: (one) => <span className="num">{money(one.stats?.saved ?? 0)}</span> },
  { key: "moved", label: "Policy set", width: "96px", cell: (one) => <Time at={one.policy?.moved_at} /> },
];

function Mode({ line }: { line: Line }) {
  return line.policy ? <span className="tag">{line.policy.mode === "semantic" ? `semantic ${figure(line.policy.threshold)}` : "exact"}</span> : <Status state="withdrawn" label="no policy" />;
}

/** Answers that are kept and given again: how often, what that saved, and where nothing should be kept. */
export function CacheList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const environment = useEnvironment(url.environment);
  const [setting, setSetting] = useState(false);
  const environments = $api.useQuery("get", "/environments", {});
  const policies = $api.useQuery("get", "/caches", { params: { query: { environment, limit: 500 } } });
  const stats = $api.useQuery("get", "/cache-stats", { params: { query: { environment } } }, { refetchInterval: 5_000 });
  const names = [...new Set([...(policies.data?.items ?? []), ...(stats.data ?? [])].map((one) => one.name))].toSorted();
  const loaded = policies.data && stats.data;
  const items = loaded
    ? names
        .map((name): Line => ({ name, stats: stats.data.find((one) => one.name === name), policy: policies.data.items.find((one) => one.name === name) }))
        .filter((one) => holds(url.q, one.name))
    : undefined;
  const writes = may(who.data, "cache.write");
  return (
    <Page
      title="Cache"
      flush
      actions={<Primary may={writes} go={() => setSetting(true)}>Set a policy</Primary>}
    >
      <Filters>
        <Words placeholder="Deployment or route" />
        <Choose name="environment" label="Environment" choices={[...new Set([environment, ...(environments.data?.items.map((one) => one.name) ?? [])])].filter(Boolean)} fallback={who.data?.environment || undefined} />
      </Filters>
      <List
        label="Caches"
        noun="cache"
        items={items}
        error={policies.error ?? stats.error}
        retry={policies.refetch}
        columns={COLUMNS}
        id={(one) => one.name}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(one) => one.name}
        peek={(one) => <Detail key={one.name} line={one} environment={environment} writes={writes} />}
        blank={
          <Blank
            icon="cache"
            narrowed={Boolean(url.q) && "No cache matches"}
            title={`Nothing is kept in ${environment}`}
            text="A cache keeps the answers of a deployment or a route and gives them again to the same question, or to one that means the same. Nothing is kept until a policy says so."
            code={"mainspring cache set docs --ttl-seconds 600\nmainspring cache evaluate docs --max-wrong 0.05"}
          />
        }
      />
      {setting && <CacheForm environment={environment} close={() => setSetting(false)} />}
    </Page>
  );
}

function Detail({ line, environment, writes }: { line: Line; environment: string; writes: boolean }) {
  const outcome = useOutcome();
  const [changing, setChanging] = useState(false);
  const { policy, stats, name } = line;
  const path = { name };
  const again = $api.useMutation("put", "/caches/{name}", outcome("Answers are kept again."));
  const undo = () => {
    if (!policy) return;
    const { mode, threshold, scope, ttl_seconds, max_entries, max_bytes, sampled, tools } = policy;
    again.mutate({ params: { path }, body: { environment, mode, threshold, scope, ttl_seconds, max_entries, max_bytes, sampled, tools, note: "brought back" } as never });
  };
  const clear = $api.useMutation("post", "/caches/{name}/clear", outcome("Cleared: the next calls fill it again."));
  const stop = $api.useMutation("delete", "/caches/{name}", outcome("Nothing is kept any more.", { undo }));
  return (
    <div className="stack">
      {writes && (
        <div className="row wrap">
          <button type="button" className="btn" disabled={clear.isPending} onClick={() => clear.mutate({ params: { path }, body: { environment, user: "", trace_id: "" } })}>
            Clear
          </button>
          {policy && (
            <>
              <button type="button" className="btn" onClick={() => setChanging(true)}>
                Change
              </button>
              <button type="button" className="btn danger" disabled={stop.isPending} onClick={() => stop.mutate({ params: { path, query: { environment } } })}>
                Keep nothing
              </button>
            </>
          )}
        </div>
      )}
      {stats && (
        <Stats
          items={[
            { label: "Hit rate", value: percent(stats.hit_rate), note: `${short(stats.hits)} hits` },
            { label: "Saved", value: money(stats.saved) },
            { label: "Kept", value: short(stats.entries), note: bytes(stats.bytes) },
          ]}
        />
      )}
      {policy && (
        <KeyValues
          items={[
            ["Same question", <Mode key="m" line={line} />],
            ["Given again to", policy.scope === "key" ? "the key whose call made it" : "all who may ask the name"],
            ["Kept for", duration((policy.ttl_seconds ?? 0) * 1000)],
            ["At most", `${count(policy.max_entries)} answers, ${bytes(policy.max_bytes)}`],
            ["Sampled answers", policy.sampled ? "kept" : "not kept"],
            ["Calls with tools", policy.tools ? "kept" : "not kept"],
            ...(stats ? ([["Hits by meaning", count(stats.semantic_hits)], ["Misses", count(stats.misses)]] as [string, string][]) : []),
            ["Set", <span key="s"><Time at={policy.moved_at} /> by {policy.moved_by}</span>],
            ["Note", policy.note || <span className="dim">none</span>],
          ]}
        />
      )}
      <Evaluate name={name} environment={environment} />
      {changing && policy && <CacheForm policy={policy} environment={environment} close={() => setChanging(false)} />}
    </div>
  );
}

/** What hit rate and what share of wrong hits each semantic threshold would give on the traffic so far. */
function Evaluate({ name, environment }: { name: string; environment: string }) {
  const test = $api.useMutation("post", "/caches/{name}/evaluate");
  const body = { environment, dataset: "", limit: 500, closeness: 0.9, max_wrong: 0.05, thresholds: [0.8, 0.85, 0.9, 0.92, 0.95, 0.97, 0.99] };
  return (
    <Card
      title="Which likeness is safe?"
      flush
      actions={
        <button type="button" className="btn" disabled={test.isPending} onClick={() => test.mutate({ params: { path: { name } }, body })}>
          {test.isPending ? "Looking…" : "Evaluate on traffic"}
        </button>
      }
    >
      {test.error ? (
        <div className="inner">
          <Refused error={test.error} />
        </div>
      ) : test.data ? (
        <Evaluated found={test.data} />
      ) : (
        <p className="inner dim">Compares recorded calls pair by pair: how many would have hit at each threshold, and how many of those wrongly.</p>
      )}
    </Card>
  );
}

function Evaluated({ found }: { found: CacheEvaluation }) {
  return (
    <>
      <p className="inner">
        {found.threshold == null ? "No threshold keeps wrong hits below " : `At ${figure(found.threshold)} wrong hits stay below `}
        {percent(found.max_wrong, 0)}, over {count(found.comparable)} comparable of {count(found.calls)} calls.
      </p>
      <Table<CacheEvaluation["results"][number]>
        label="Thresholds"
        items={found.results}
        id={(one) => String(one.threshold)}
        columns={[
          { key: "at", label: "Likeness", numeric: true, cell: (one) => <span className={one.threshold === found.threshold ? "best" : undefined}>{figure(one.threshold)}</span> },
          { key: "hits", label: "Would hit", numeric: true, cell: (one) => <Portion share={one.hits} /> },
          { key: "wrong", label: "Of these wrong", numeric: true, cell: (one) => <Portion share={one.wrong} /> },
        ]}
      />
    </>
  );
}

function Portion({ share }: { share: CacheEvaluation["results"][number]["hits"] }) {
  return <span title={`${count(share.count)} of ${count(share.of)}, between ${percent(share.low)} and ${percent(share.high)}`}>{percent(share.share)}</span>;
}

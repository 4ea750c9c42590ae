import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api, ApiError } from "../../api/client";
import type { DriftReport, FeatureShift, TopicShift } from "../../api/types";
import { Blank, Card, KeyValues, Skeleton, Stats, Status, Time } from "../../kit/basics";
import { count, figure, fixed, percent, plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { Failure, Page } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { useWho } from "../../shell/session";

const AGAINST = [
  { value: "data", label: "the release's own data" },
  { value: "window", label: "the days before" },
];
const HOURS: [string, string][] = [["6", "the last 6 hours"], ["24", "the last day"], ["72", "the last 3 days"], ["168", "the last week"], ["720", "the last 30 days"]];
const KINDS: Record<FeatureShift["kind"], string> = { meaning: "meaning", number: "median", share: "share", category: "mixture" };
const EXAMPLE = `mainspring drift report docs
mainspring drift report docs --against window --reference-days 7`;

/** Whether live calls are still what they were, or what their release was made for: what moved, how far, and which calls. */
export function DriftPage() {
  const [url, setUrl] = useUrl();
  const who = useWho();
  const against = url.against === "data" ? "data" : "window";
  const hours = HOURS.find(([value]) => value === url.hours)?.[0] ?? "168";
  const environment = url.environment ?? who.data?.environment ?? "";
  const traffic: "live" | "all" = url.traffic === "all" ? "all" : "live";
  const asked = url.at !== undefined;
  const until = new Date(Number(url.at ?? 0));
  const body = {
    target: url.target ?? "",
    environment,
    against: against as "data" | "window",
    since: new Date(until.getTime() - Number(hours) * 3_600_000).toISOString(),
    until: until.toISOString(),
    reference_days: Number(url.days ?? "7"),
    limit: 500,
    alpha: 0.01,
    traffic,
  };
  const query = $api.useQuery("post", "/drift/report", { body }, { enabled: asked, staleTime: Infinity, retry: false, refetchOnWindowFocus: false });
  return (
    <Page title="Drift">
      <div className="stack">
        <Ask url={{ target: url.target ?? "", environment, traffic, against, hours, days: url.days ?? "7" }} go={(next) => setUrl({ ...next, at: String(Date.now()) }, true)} busy={asked && query.isFetching} />
        {!asked ? (
          <Blank icon="drift" title="Hold live calls against what they were" text="Inputs and outputs by meaning and length, tokens, times, cost, errors, refusals, guard, models and scores. Over all of them the chance of a false alarm is at most one in a hundred." code={EXAMPLE} />
        ) : query.error instanceof ApiError && query.error.status === 422 ? (
          <Blank icon="drift" title="These cannot be compared" text={`${query.error.message} ${query.error.hint}`} />
        ) : query.error ? (
          <Failure error={query.error} retry={query.refetch} />
        ) : query.data ? (
          <Report report={query.data} />
        ) : (
          <Skeleton lines={12} />
        )}
      </div>
    </Page>
  );
}

interface Asked {
  target: string;
  environment: string;
  traffic: string;
  against: string;
  hours: string;
  days: string;
}

function Ask({ url, go, busy }: { url: Asked; go: (next: Asked) => void; busy: boolean }) {
  const [draft, setDraft] = useState(url);
  const set = (more: Partial<Asked>) => setDraft({ ...draft, ...more });
  const deployments = $api.useQuery("get", "/deployments", { params: { query: { environment: url.environment, limit: 500 } } });
  return (
    <form
      className="row wrap ask"
      aria-label="What to compare"
      onSubmit={(event) => {
        event.preventDefault();
        go(draft);
      }}
    >
      <span className="dim">Calls of</span>
      <input className="input" aria-label="Target" list="targets" value={draft.target} placeholder="all traffic" onChange={(event) => set({ target: event.target.value.trim() })} />
      <datalist id="targets">
        {deployments.data?.items.flatMap((one) => [one.name, one.baseline]).map((value) => <option key={value} value={value} />)}
      </datalist>
      <span className="dim">in</span>
      <input className="input" aria-label="Environment" value={draft.environment} placeholder="all environments" onChange={(event) => set({ environment: event.target.value.trim() })} />
      <select className="select" aria-label="Traffic" value={draft.traffic} onChange={(event) => set({ traffic: event.target.value })}>
        <option value="live">live</option>
        <option value="all">with what is tried out</option>
      </select>
      <select className="select" aria-label="Time" value={draft.hours} onChange={(event) => set({ hours: event.target.value })}>
        {HOURS.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <span className="dim">against</span>
      <select className="select short" aria-label="Against" value={draft.against} onChange={(event) => set({ against: event.target.value })}>
        {AGAINST.map((one) => (
          <option key={one.value} value={one.value}>
            {one.label}
          </option>
        ))}
      </select>
      {draft.against === "window" && (
        <select className="select short" aria-label="Days before" value={draft.days} onChange={(event) => set({ days: event.target.value })}>
          {["1", "7", "14", "28"].map((value) => (
            <option key={value} value={value}>
              {plural(Number(value), "day")}
            </option>
          ))}
        </select>
      )}
      <button type="submit" className="btn primary" disabled={busy}>
        {busy ? "Comparing…" : "Compare"}
      </button>
    </form>
  );
}

function Report({ report }: { report: DriftReport }) {
  const moved = report.features.filter((one) => one.drifted).length;
  const ordered = report.features.toSorted((a, b) => Number(b.drifted) - Number(a.drifted) || b.effect - a.effect);
  return (
    <>
      <p className={report.drifted ? "notice warn" : "notice ok"} role="status">
        {report.verdict}
      </p>
      <Stats
        items={[
          { label: "Moved", value: `${moved} of ${report.features.length}` },
          { label: "Calls", value: count(report.n), note: `against ${count(report.n_reference)}` },
          { label: "Chance of any false alarm", value: percent(report.alpha, 0), note: "at most" },
        ]}
      />
      <Card title="What was measured" flush>
        <Features features={ordered} />
      </Card>
      {report.topics.length > 0 && (
        <Card title="What the inputs are about" flush>
          <Topics topics={report.topics} />
        </Card>
      )}
      <KeyValues
        items={[
          ["Held against", report.against],
          ["Release", report.release ? <RefLink key="r" value={report.release} /> : "none answered these calls"],
          ["Left out", report.left_out.length ? `${report.left_out.join(", ")}: fewer than ${report.least} values on a side` : "nothing"],
          ["Compared", <Time key="t" at={report.checked_at} />],
        ]}
      />
    </>
  );
}

const level = (one: FeatureShift, value: number | null) => (value === null ? "–" : one.kind === "share" ? percent(value) : figure(value));
/** What a p-value says in figures that can be read. */
const chance = (p: number) => (p < 0.0001 ? "< 0.0001" : fixed(p, 4));

function Features({ features }: { features: FeatureShift[] }) {
  return (
    <Table<FeatureShift>
      label="Features"
      items={features}
      id={(one) => one.feature}
      columns={[
        { key: "moved", label: "", cell: (one) => <Status state={one.drifted ? "warn" : "ok"} label={one.drifted ? "moved" : "as before"} /> },
        { key: "name", label: "Feature", cell: (one) => <span>{one.feature.replaceAll("_", " ")} <span className="dim">{KINDS[one.kind]}</span></span> },
        { key: "then", label: "Then", numeric: true, cell: (one) => level(one, one.reference) },
        { key: "now", label: "Now", numeric: true, cell: (one) => level(one, one.now) },
        { key: "effect", label: "Effect", cell: (one) => <Effect one={one} /> },
        { key: "p", label: "p, corrected", numeric: true, cell: (one) => <span title={`uncorrected ${chance(one.p_value)}, ${one.method}`}>{chance(one.adjusted)}</span> },
        { key: "calls", label: "Calls that moved it", cell: (one) => (one.drifted ? <Traces ids={one.trace_ids} /> : <span className="faint">–</span>) },
      ]}
    />
  );
}

/** The size of a change against the least that counts. */
function Effect({ one }: { one: FeatureShift }) {
  const at = (value: number) => Math.min(1, Math.max(0, value)) * 120;
  const said = `effect ${fixed(one.effect, 2)}; ${fixed(one.min_effect, 2)} counts`;
  return (
    <span className="row" title={said}>
      <svg width={124} height={12} role="img" aria-label={said}>
        <rect y={4} width={120} height={4} rx={2} style={{ fill: "var(--hover)" }} />
        <rect y={4} width={Math.max(1, at(one.effect))} height={4} rx={2} style={{ fill: one.drifted ? "var(--warn)" : "var(--text-3)" }} />
        <line x1={at(one.min_effect)} x2={at(one.min_effect)} y2={12} className="chart-zero" />
      </svg>
      <span className="num">{fixed(one.effect, 2)}</span>
    </span>
  );
}

function Topics({ topics }: { topics: TopicShift[] }) {
  const ordered = topics.toSorted((a, b) => Number(b.moved) - Number(a.moved) || Math.abs(b.now - b.reference) - Math.abs(a.now - a.reference));
  return (
    <Table<TopicShift>
      label="Topics"
      items={ordered}
      id={(one) => `${one.words.join(" ")} ${one.reference} ${one.now}`}
      columns={[
        { key: "moved", label: "", cell: (one) => (one.moved ? <Status state="warn" label={one.now > one.reference ? "more" : "less"} /> : <Status state="ok" label="as before" />) },
        { key: "words", label: "Topic", cell: (one) => one.words.join(", ") },
        { key: "then", label: "Then", numeric: true, cell: (one) => percent(one.reference) },
        { key: "now", label: "Now", numeric: true, cell: (one) => percent(one.now) },
        { key: "p", label: "p, corrected", numeric: true, cell: (one) => chance(one.adjusted) },
        { key: "calls", label: "Calls", cell: (one) => <Traces ids={one.trace_ids} /> },
      ]}
    />
  );
}

function Traces({ ids }: { ids: string[] }) {
  return (
    <span className="row">
      {ids.slice(0, 3).map((id) => (
        <Link key={id} className="link mono" to={`/traces/${id}`}>
          {id.slice(-8)}
        </Link>
      ))}
    </span>
  );
}

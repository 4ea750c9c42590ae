import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Evaluator, EvaluatorCall } from "../../api/types";
import { Blank, Card, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { Field, FormDialog, Refused, TypedName } from "../../kit/Dialog";
import { Choose, Filters } from "../../kit/filters";
import { count, figure, money, percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { Meter } from "../../kit/Meter";
import { useOutcome } from "../../kit/outcome";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { paged, PAGES } from "../../kit/pages";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { EvaluatorForm } from "./EvaluatorForm";
import { EvaluatorState } from "./EvaluatorList";

const TABS = ["Overview", "Calls"] as const;
const STATES: Record<string, [string, string]> = { done: ["ok", "scored"], pending: ["queued", "waiting"], inapplicable: ["unset", "no score"], failed: ["failed", "failed"] };

/** One evaluator: what became of the calls that it drew, what it costs, and what failed and why. */
export function EvaluatorPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const tab = useTab(TABS);
  const query = $api.useQuery("get", "/evaluators/{name}", { params: { path: { name } } }, { refetchInterval: 5_000 });
  return (
    <Page
      title={name}
      crumbs={[{ label: "Evaluators", to: "/evaluators" }]}
      badge={query.data && <EvaluatorState evaluator={query.data} />}
      tabs={<Tabs tabs={TABS} label="Parts of the evaluator" current={tab} />}
      actions={query.data && <Actions evaluator={query.data} />}
      flush={tab === "Calls"}
    >
      {tab === "Calls" ? <Calls name={name} /> : <Show query={query}>{(evaluator) => <Overview evaluator={evaluator} />}</Show>}
    </Page>
  );
}

function Actions({ evaluator }: { evaluator: Evaluator }) {
  const who = useWho();
  const navigate = useNavigate();
  const outcome = useOutcome();
  const [asked, setAsked] = useState<"change" | "past" | "delete" | null>(null);
  const call = { params: { path: { name: evaluator.name } } };
  const turn = $api.useMutation("patch", "/evaluators/{name}", outcome((made: Evaluator) => (made.enabled ? "It draws from now on." : "It is off."), { undo: (made) => turn.mutate({ ...call, body: { enabled: !made.enabled } }) }));
  const drop = $api.useMutation("delete", "/evaluators/{name}", outcome("The evaluator is deleted.", { quiet: true, done: () => void navigate({ to: "/evaluators" }) }));
  if (!may(who.data, "evaluator.write")) return null;
  const close = () => setAsked(null);
  return (
    <>
      <button type="button" className="btn danger" onClick={() => setAsked("delete")}>
        Delete
      </button>
      <button type="button" className="btn" onClick={() => setAsked("change")}>
        Change
      </button>
      <button type="button" className="btn" onClick={() => setAsked("past")}>
        Score the past
      </button>
      <button type="button" className={evaluator.enabled ? "btn" : "btn primary"} disabled={turn.isPending} onClick={() => turn.mutate({ ...call, body: { enabled: !evaluator.enabled } })}>
        Switch {evaluator.enabled ? "off" : "on"}
      </button>
      {asked === "change" && <EvaluatorForm evaluator={evaluator} close={close} done={() => {}} />}
      {asked === "past" && <Backfill name={evaluator.name} close={close} />}
      {asked === "delete" && (
        <TypedName title="Delete the evaluator" name={evaluator.name} label="Delete" busy={drop.isPending} error={drop.error} close={close} go={() => drop.mutate(call)}>
          Its list of calls goes with it; the scores that it gave stay.
        </TypedName>
      )}
    </>
  );
}

function Backfill({ name, close }: { name: string; close: () => void }) {
  const outcome = useOutcome();
  const [days, setDays] = useState("7");
  const [limit, setLimit] = useState("1000");
  const start = $api.useMutation("post", "/evaluators/{name}/backfill", outcome("It scores the past now.", { done: close, quiet: true }));
  const since = () => new Date(Date.now() - Number(days) * 86_400_000).toISOString();
  const ready = Number(days) > 0 && Number.isInteger(Number(limit)) && Number(limit) > 0;
  return (
    <FormDialog
      title="Score the past"
      close={close}
      ready={ready && !start.isPending}
      label="Score them"
      error={start.error}
      go={() => start.mutate({ params: { path: { name } }, body: { since: since(), limit: Number(limit) } })}
    >
      <div className="pair">
        <Field label="Days back">
          <input className="input num" inputMode="decimal" value={days} data-autofocus onChange={(event) => setDays(event.target.value)} />
        </Field>
        <Field label="At most (calls)">
          <input className="input num" inputMode="numeric" value={limit} onChange={(event) => setLimit(event.target.value)} />
        </Field>
      </div>
      <p className="dim">The same share is drawn as of live calls. What has its score keeps it; a judge is paid within the bound a day.</p>
    </FormDialog>
  );
}

function Overview({ evaluator }: { evaluator: Evaluator }) {
  const { counts, choice } = evaluator;
  const target = choice.target && (choice.target.startsWith("release/") ? choice.target : `deployment/${choice.target}`);
  const [, setUrl] = useUrl();
  return (
    <div className="columns">
      <div className="stack">
        <Stats
          items={[
            { label: "Scored", value: count(counts.done) },
            { label: "Waiting", value: count(counts.pending) },
            { label: "No score", value: count(counts.inapplicable) },
            { label: "Failed", value: count(counts.failed) },
          ]}
        />
        {evaluator.waits && evaluator.enabled && <p className="notice warn">{evaluator.waits}</p>}
        {counts.failed > 0 && <Failures evaluator={evaluator} all={() => setUrl({ tab: "Calls", state: "failed" }, true)} />}
        <Trial name={evaluator.name} metric={evaluator.metric} />
      </div>
      <div className="stack">
        <Card title="Cost">
          <div className="stack tight">
            <p>
              <b>{money(evaluator.spent_today)}</b> today{evaluator.max_cost_per_day === null ? "; there is no bound." : ` of ${money(evaluator.max_cost_per_day)}.`}
            </p>
            {evaluator.max_cost_per_day !== null && <Meter used={{ spent: evaluator.spent_today, held: 0, amount: evaluator.max_cost_per_day }} label="Spent today" words={money} />}
          </div>
        </Card>
        <Card title="What it does">
          <KeyValues
            items={[
              ["Scorer", <RefLink key="m" value={evaluator.metric.replace(/^(judge|code):/, "$1/")} />],
              ["Scores are named", <Link key="s" className="link" to="/traces" search={{ score: evaluator.score } as never}>{evaluator.score}</Link>],
              ["Calls of", target ? <RefLink key="t" value={target} /> : "all traffic"],
              ["Environment", choice.environment || "all"],
              ["Share", percent(evaluator.rate, evaluator.rate < 0.01 ? 2 : 0)],
              ...(choice.service ? ([["Service", choice.service]] as [string, string][]) : []),
              ["How they ended", choice.status === "ok" ? "well" : choice.status === "error" ? "with an error" : "either way"],
              ...(choice.query ? ([["Words", choice.query]] as [string, string][]) : []),
              ...(choice.min_duration_ms ? ([["Took at least", `${figure(choice.min_duration_ms)} ms`]] as [string, string][]) : []),
              ["Created", <span key="c"><Time at={evaluator.created_at} /> by {evaluator.created_by}</span>],
            ]}
          />
        </Card>
      </div>
    </div>
  );
}

function Failures({ evaluator, all }: { evaluator: Evaluator; all: () => void }) {
  const who = useWho();
  const outcome = useOutcome();
  const retry = $api.useMutation("post", "/evaluators/{name}/retry", outcome((made: { count: number }) => `${count(made.count)} calls are taken up again.`));
  const query = $api.useQuery("get", "/evaluators/{name}/calls", { params: { path: { name: evaluator.name }, query: { state: "failed", limit: 5 } } });
  return (
    <Card
      title="What failed"
      actions={
        <>
          <button type="button" className="btn" onClick={all}>
            All
          </button>
          {may(who.data, "evaluator.write") && (
            <button type="button" className="btn" disabled={retry.isPending} onClick={() => retry.mutate({ params: { path: { name: evaluator.name } }, body: {} })}>
              Try them again
            </button>
          )}
        </>
      }
      flush
    >
      <Table<EvaluatorCall>
        label="What failed"
        items={query.data?.items ?? []}
        id={(one) => one.trace_id}
        columns={[
          { key: "at", label: "When", cell: (one) => <Time at={one.at} /> },
          { key: "trace", label: "Trace", cell: (one) => <Link className="link mono" to={`/traces/${one.trace_id}`}>{one.trace_id.slice(0, 12)}…</Link> },
          { key: "why", label: "Why", cell: (one) => one.error },
        ]}
      />
    </Card>
  );
}

function Trial({ name, metric }: { name: string; metric: string }) {
  const who = useWho();
  const tried = $api.useMutation("post", "/evaluators/{name}/test");
  const judged = metric.startsWith("judge:");
  return (
    <Card
      title="Try it on the latest calls"
      actions={
        may(who.data, "evaluator.write") && (
          <button type="button" className="btn" disabled={tried.isPending} onClick={() => tried.mutate({ params: { path: { name } }, body: { count: 5 } })}>
            {tried.isPending ? "Scoring…" : "Score five"}
          </button>
        )
      }
    >
      {tried.data ? (
        tried.data.length === 0 ? (
          <p className="dim">No call of the last week fits.</p>
        ) : (
          <Table
            label="Tried"
            items={tried.data}
            id={(one) => one.trace_id}
            columns={[
              { key: "value", label: "Score", numeric: true, cell: (one) => figure(one.value) },
              { key: "note", label: "Why", cell: (one) => one.note || "–" },
              { key: "trace", label: "Trace", cell: (one) => <Link className="link mono" to={`/traces/${one.trace_id}`}>{one.trace_id.slice(0, 12)}…</Link> },
            ]}
          />
        )
      ) : (
        <p className="dim">Nothing is stored.{judged && " The judge is paid for it."}</p>
      )}
      <Refused error={tried.error} />
    </Card>
  );
}

const COLUMNS: Column<EvaluatorCall>[] = [
  { key: "state", label: "State", width: "104px", cell: (one) => <Status state={STATES[one.state]![0]} label={STATES[one.state]![1]} /> },
  { key: "trace", label: "Trace", width: "minmax(160px,1fr)", cell: (one) => <span className="mono">{one.trace_id}</span> },
  { key: "value", label: "Score", width: "80px", numeric: true, cell: (one) => <span className="num">{figure(one.value)}</span> },
  { key: "attempts", label: "Attempts", width: "72px", numeric: true, cell: (one) => <span className="num">{one.attempts}</span> },
  { key: "cost", label: "Cost", width: "88px", numeric: true, cell: (one) => <span className="num">{money(one.cost)}</span> },
  { key: "error", label: "Why not", width: "minmax(200px,2fr)", cell: (one) => <span className="dim">{one.error || "–"}</span> },
  { key: "at", label: "When", width: "96px", cell: (one) => <Time at={one.at} /> },
];

function Calls({ name }: { name: string }) {
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const state = Object.keys(STATES).find((one) => one === url.state) as EvaluatorCall["state"] | undefined;
  const query = $api.useInfiniteQuery(
    "get",
    "/evaluators/{name}/calls",
    { params: { path: { name }, query: { state, limit: 100 } } },
    { ...PAGES, refetchInterval: 10_000 },
  );
  return (
    <>
      <Filters>
        <Choose name="state" label="State" any="Any state" choices={Object.entries(STATES).map(([value, [, label]]) => ({ value, label }))} />
      </Filters>
      <List
        label="Calls"
        noun="call"
        {...paged(query)}
        columns={COLUMNS}
        id={(one) => `${one.trace_id}${one.span_id}`}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        open={(one) => void navigate({ to: `/traces/${one.trace_id}` })}
        blank={<Blank icon="traces" title={state ? `No call is ${STATES[state]![1]}` : "It has drawn no call yet"} text="It draws from the calls that come from now on; the past is scored on demand." code={`mainspring evaluator backfill ${name}`} />}
      />
    </>
  );
}

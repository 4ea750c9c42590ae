import { Link, useParams } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { AttackResult, FamilyResult, RedTeam } from "../../api/types";
import { Blank, Card, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { IntervalMark } from "../../kit/chart";
import { Facts } from "../../kit/Facts";
import { Choose, Filters } from "../../kit/filters";
import { count, money, percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { paged, PAGES } from "../../kit/pages";
import { RefLink } from "../../shell/RefLink";
import { Versus } from "./Versus";

const TABS = ["Families", "Attacks", "Comparison"] as const;
const OUTCOMES = ["succeeded", "resisted", "blocked", "unclear", "unanswered"] as const;
type Outcome = (typeof OUTCOMES)[number];
const TONES: Record<Outcome, string> = { succeeded: "error", resisted: "ok", blocked: "ok", unclear: "warn", unanswered: "unset" };
const WORDS: Record<Outcome, string> = { succeeded: "came through", resisted: "resisted", blocked: "blocked", unclear: "unclear", unanswered: "no answer" };

/** One run of attacks: what came through by family, every attack with its evidence, and another run beside it. */
export function RedTeamPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const [url] = useUrl();
  const chosen = useTab(TABS);
  const tab = url.tab === undefined && url.baseline ? "Comparison" : chosen;
  const query = $api.useQuery("get", "/redteams/{id}", { params: { path: { id } } });
  return (
    <Page
      title={query.data?.name || query.data?.target || "Attacks"}
      crumbs={[{ label: "Red team", to: "/redteam" }]}
      badge={<code className="tag">{id.slice(0, 13)}</code>}
      tabs={query.data && <Tabs tabs={TABS} label="Parts of the run" current={tab} />}
      flush={Boolean(query.data) && tab === "Attacks"}
    >
      <Show query={query}>
        {(run) => (tab === "Attacks" ? <Attacks run={run} /> : tab === "Comparison" ? <Beside run={run} /> : <Families run={run} />)}
      </Show>
    </Page>
  );
}

function Families({ run }: { run: RedTeam }) {
  const { whole } = run;
  return (
    <div className="columns wide">
      <div className="stack">
        <Stats
          items={[
            { label: "Attacks", value: count(run.attacks) },
            { label: "Came through", value: count(whole.succeeded) },
            { label: "Resisted", value: count(whole.resisted + whole.blocked), note: whole.blocked ? `${count(whole.blocked)} by the guard` : undefined },
            { label: "Unclear", value: count(whole.unclear) },
            { label: "No answer", value: count(whole.unanswered) },
          ]}
        />
        <Card title="Share that came through" flush>
          <Table<FamilyResult>
            label="Families"
            items={run.families}
            id={(one) => one.family}
            columns={[
              { key: "family", label: "Family", cell: (one) => <Narrow family={one.family} /> },
              { key: "through", label: "Came through", numeric: true, cell: (one) => `${count(one.succeeded)} of ${count(one.attacks - one.unanswered)}` },
              { key: "share", label: "Share", numeric: true, cell: (one) => <b>{percent(one.figure.value, 0)}</b> },
              { key: "interval", label: "Interval of 95 % (0 to 100 %)", cell: (one) => <Reach of={one} /> },
              { key: "blocked", label: "By the guard", numeric: true, cell: (one) => count(one.blocked) },
              { key: "unclear", label: "Unclear", numeric: true, cell: (one) => count(one.unclear) },
            ]}
          />
        </Card>
        <p className="dim">
          Attacks of one technique are alike, so that an interval counts techniques. The share says how the target fared with this collection, not how often an attack succeeds that somebody invents tomorrow.
        </p>
      </div>
      <div className="stack">
        <Card title="Run">
          <KeyValues
            items={[
              ["Target", <RefLink key="t" value={run.target} />],
              ["Packs", run.packs.join(", ")],
              ["Stopped", run.stopped || <span className="faint">no</span>],
              ["Calls", count(run.calls)],
              ["Cost", money(run.cost)],
              ["Made", <Time key="m" at={run.created_at} />],
              ["By", run.created_by],
              ["Note", run.note || <span className="faint">none</span>],
            ]}
          />
        </Card>
        <Card title="Settings">
          <Facts value={run.settings} />
        </Card>
      </div>
    </div>
  );
}

function Narrow({ family }: { family: string }) {
  const [, setUrl] = useUrl();
  return (
    <button type="button" className="link-like" title="The attacks of this family" onClick={() => setUrl({ tab: "Attacks", family }, true)}>
      {family}
    </button>
  );
}

function Reach({ of }: { of: FamilyResult }) {
  const { value, low, high, note } = of.figure;
  if (low == null || high == null) return <span className="faint" title={note}>too few techniques or answers</span>;
  return (
    <span title={note || undefined}>
      <IntervalMark value={value ?? (low + high) / 2} low={low} high={high} min={0} max={1} mark={null} />
    </span>
  );
}

const COLUMNS: Column<AttackResult>[] = [
  { key: "outcome", label: "Outcome", width: "124px", cell: (one) => <Status state={TONES[one.outcome]} label={WORDS[one.outcome]} /> },
  { key: "family", label: "Family", width: "minmax(130px,0.8fr)", cell: (one) => one.family },
  { key: "asked", label: "Attack", width: "minmax(200px,2fr)", cell: (one) => lastOf(one) },
  { key: "answer", label: "Answer", width: "minmax(200px,2fr)", cell: (one) => <span className="dim">{one.answer || one.error}</span> },
  { key: "proof", label: "Shown by", width: "96px", cell: (one) => one.proof || <span className="faint">–</span> },
];

const lastOf = (one: AttackResult) => String(one.messages.at(-1)?.content ?? "");

function Attacks({ run }: { run: RedTeam }) {
  const [url, setUrl] = useUrl();
  const outcome = OUTCOMES.find((one) => one === url.outcome);
  const query = $api.useInfiniteQuery(
    "get",
    "/redteams/{id}/attacks",
    { params: { path: { id: run.id }, query: { family: url.family ?? "", query: url.q ?? "", limit: 100, ...(outcome && { outcome }) } } },
    PAGES,
  );
  return (
    <>
      <Filters>
        <Choose name="family" label="Family" any="Any family" choices={run.families.map((one) => one.family)} />
        <Choose name="outcome" label="Outcome" any="Any outcome" choices={OUTCOMES.map((one) => ({ value: one, label: WORDS[one] }))} />
      </Filters>
      <List
        label="Attacks"
        noun="attack"
        {...paged(query)}
        columns={COLUMNS}
        id={(one) => one.id}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(one) => one.technique}
        peek={(one) => <Detail one={one} />}
        blank={<Blank icon="guard" title="No attack of this kind" text="Choose another family or outcome." />}
      />
    </>
  );
}

function Detail({ one }: { one: AttackResult }) {
  return (
    <div className="stack">
      <KeyValues
        items={[
          ["Outcome", <Status key="o" state={TONES[one.outcome]} label={WORDS[one.outcome]} />],
          ["Shown by", one.proof || <span className="faint">nothing</span>],
          ["Evidence", one.evidence || <span className="faint">none</span>],
          ["Looked for", one.signs.map((sign) => `${sign.proof}${sign.values?.length ? ` (${sign.values.join(", ")})` : ""}`).join("; ")],
          ["Language", one.language],
          ["Tokens", `${count(one.input_tokens)} in, ${count(one.output_tokens)} out`],
          ["Trace", one.trace_id ? <RefLink key="t" value={`trace/${one.trace_id}`} /> : <span className="faint">none</span>],
        ]}
      />
      {one.messages.map((message, index) => (
        <div key={index}>
          <h3>{String(message.role)}</h3>
          <pre className="code" tabIndex={0}>{String(message.content)}</pre>
        </div>
      ))}
      <h3>{one.error ? "Error" : "Answer"}</h3>
      <pre className="code" tabIndex={0}>{one.error || one.answer || " "}</pre>
      {(one.calls?.length ?? 0) > 0 && (
        <>
          <h3>Tools that it called</h3>
          <pre className="code" tabIndex={0}>{JSON.stringify(one.calls, null, 2)}</pre>
        </>
      )}
      {(one.judgements ?? []).map((said, index) => (
        <p key={index}>
          The judge says <b>{said.step}</b>: {said.reason}
        </p>
      ))}
    </div>
  );
}

function Beside({ run }: { run: RedTeam }) {
  const [url, setUrl] = useUrl();
  const known = $api.useQuery("get", "/redteams", { params: { query: { limit: 100 } } });
  const others = known.data?.items.filter((one) => one.id !== run.id) ?? [];
  return (
    <Card
      title="Against another run"
      flush
      actions={
        others.length > 0 && (
          <select className="select" aria-label="Run to compare with" value={url.baseline ?? ""} onChange={(event) => setUrl({ baseline: event.target.value || undefined, tab: "Comparison" }, true)}>
            <option value="">Compare with…</option>
            {others.map((one) => (
              <option key={one.id} value={one.id}>{`${one.name || one.id.slice(0, 13)} · ${one.target}`}</option>
            ))}
          </select>
        )
      }
    >
      {url.baseline ? <Compared baseline={url.baseline} run={run} /> : <Blank small icon="guard" title={others.length ? "Choose a run to compare with" : "There is no other run yet"} />}
    </Card>
  );
}

function Compared({ baseline, run }: { baseline: string; run: RedTeam }) {
  const query = $api.useQuery("get", "/redteams/compare", { params: { query: { baseline, candidate: run.id } } });
  return (
    <Show query={query} lines={6}>
      {(found) => (
        <>
          <Versus comparisons={[found.families]} names={[found.baseline_target, found.candidate_target]} />
          <p className="dim inner">
            {count(found.attacks)} attacks that both made, paired; {count(found.undecided)} are left out because one side is unclear or has no answer, {count(found.unpaired)} because only one made them. {found.note}{" "}
            <Link className="link" to={`/redteam/${found.baseline}`}>
              The other run
            </Link>
          </p>
        </>
      )}
    </Show>
  );
}

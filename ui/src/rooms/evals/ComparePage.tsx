import { useQueries } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Comparison, Experiment } from "../../api/types";
import { Blank, Card, Time } from "../../kit/basics";
import { count, plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { RefLink } from "../../shell/RefLink";
import { RowDiff } from "./RowDiff";
import { isSpeed, level, nameOf, namesOf } from "./figures";
import { PeopleCompared } from "./People";
import { Versus } from "./Versus";

const TABS = ["Figures", "Rows"] as const;
/** What the server takes: a baseline, a candidate and so many more. */
const MOST = 22;

/** Any number of experiments side by side; `?ids=` names them, the baseline first, and the address is the whole state. */
export function ComparePage() {
  const [url, setUrl] = useUrl();
  const tab = useTab(TABS);
  const ids = [...new Set((url.ids ?? "").split(",").filter(Boolean))].slice(0, MOST);
  const found = useExperiments(ids);
  const set = (next: string[]) => setUrl({ ids: next.join(","), peek: undefined, of: undefined }, true);
  const ready = ids.length > 1 && found.data;
  return (
    <Page
      title="Compare"
      crumbs={[{ label: "Experiments", to: "/experiments" }]}
      actions={found.data?.[0] && <Add baseline={found.data[0]} ids={ids} add={(id) => set([...ids, id])} />}
      tabs={ready && <Tabs tabs={TABS} label="Parts of the comparison" current={tab} />}
      flush={Boolean(ready) && tab === "Rows"}
    >
      {ids.length < 2 ? (
        <Fewer experiment={found.data?.[0]} />
      ) : (
        <Show query={found}>
          {(experiments) => {
            if (tab === "Rows") return <RowDiff experiments={experiments} />;
            return (
              <div className="stack">
                <Sides experiments={experiments} set={set} />
                <Figures experiments={experiments} />
                <PeopleCompared experiments={experiments} />
              </div>
            );
          }}
        </Show>
      )}
    </Page>
  );
}

function Fewer({ experiment }: { experiment?: Experiment }) {
  return (
    <Blank
      icon="experiment"
      title={experiment ? `${nameOf(experiment)} alone` : "Nothing to compare"}
      text="Mark two or more experiments over the same rows in the list; the first of them is the baseline."
      code={"mainspring experiment compare before after"}
    />
  );
}

function useExperiments(ids: string[]) {
  const results = useQueries({ queries: ids.map((id) => $api.queryOptions("get", "/experiments/{id}", { params: { path: { id } } })) });
  const every = results.map((one) => one.data);
  return {
    data: every.every((one) => one !== undefined) ? (every as Experiment[]) : undefined,
    error: results.find((one) => one.error)?.error ?? null,
    isPending: results.some((one) => one.isPending),
    refetch: () => results.forEach((one) => void one.refetch()),
  };
}

/** Another experiment over the same rows. */
function Add({ baseline, ids, add }: { baseline: Experiment; ids: string[]; add: (id: string) => void }) {
  const query = $api.useQuery("get", "/experiments", { params: { query: { dataset: baseline.dataset, limit: 200 } } });
  const others = query.data?.items.filter((one) => !ids.includes(one.id) && one.dataset === baseline.dataset) ?? [];
  if (others.length === 0 || ids.length >= MOST) return null;
  return (
    <select className="select" aria-label="Add an experiment" value="" onChange={(event) => add(event.target.value)}>
      <option value="">Add an experiment…</option>
      {others.map((one) => (
        <option key={one.id} value={one.id}>
          {nameOf(one)} ({one.target || "no target"})
        </option>
      ))}
    </select>
  );
}

/** Who stands against whom; any of them can be made the baseline. */
function Sides({ experiments, set }: { experiments: Experiment[]; set: (ids: string[]) => void }) {
  const ids = experiments.map((one) => one.id);
  const names = namesOf(experiments);
  return (
    <ol className="sides-list" aria-label="Experiments compared">
      {experiments.map((one, index) => (
        <li key={one.id} className="card">
          <header>
            <i style={{ background: `var(--s${(index % 8) + 1})` }} />
            <h2 className="cut">
              <Link className="link" to={`/experiments/${one.id}`}>
                {names[index]}
              </Link>
            </h2>
            <div className="page-actions">
              {index === 0 ? (
                <span className="tag">baseline</span>
              ) : (
                <>
                  <button type="button" className="btn quiet" aria-label={`Make baseline: ${names[index]}`} onClick={() => set([one.id, ...ids.filter((id) => id !== one.id)])}>
                    Make baseline
                  </button>
                  {ids.length > 2 && (
                    <button type="button" className="btn icon quiet" aria-label={`Leave ${names[index]} out`} onClick={() => set(ids.filter((id) => id !== one.id))}>
                      <Icon name="cross" size={14} />
                    </button>
                  )}
                </>
              )}
            </div>
          </header>
          <div className="inner">
            <p>
              {one.target ? <RefLink value={one.target} /> : <span className="faint">no target</span>} {one.prompt && <RefLink value={one.prompt} />}
            </p>
            <p className="faint">
              {plural(one.rows, "answer")}
              {one.errors > 0 && `, ${count(one.errors)} missing`}
              {one.stopped && ", stopped early"} · <Time at={one.created_at} />
            </p>
          </div>
        </li>
      ))}
    </ol>
  );
}

function Figures({ experiments }: { experiments: Experiment[] }) {
  const [url, setUrl] = useUrl();
  const [baseline, candidate, ...more] = experiments as [Experiment, Experiment, ...Experiment[]];
  const mixed = experiments.some((one) => one.constrained !== baseline.constrained);
  const across = url.across === "1";
  const query = $api.useQuery(
    "get",
    "/experiments/compare",
    { params: { query: { baseline: baseline.id, candidate: candidate.id, more: more.length ? more.map((one) => one.id) : undefined, across_modes: across } } },
    { retry: false, enabled: !mixed || across },
  );
  if (mixed && !across)
    return (
      <div className="blank">
        <Icon name="warn" size={28} />
        <h2>Unlike modes</h2>
        <p>Some of these experiments held answers to a response schema, others left them free, which changes scores by itself.</p>
        <button type="button" className="btn" onClick={() => setUrl({ across: "1" })}>
          Compare them all the same
        </button>
      </div>
    );
  return (
    <Show query={query} lines={8}>
      {(comparison) => <Found comparison={comparison} experiments={experiments} />}
    </Show>
  );
}

function Found({ comparison, experiments }: { comparison: Comparison; experiments: Experiment[] }) {
  const navigate = useNavigate();
  const every = [comparison, ...(comparison.more ?? [])];
  const notes = [...new Set(every.map((one) => one.note).filter(Boolean))];
  const unpaired = every.map((one, index) => ({ n: one.unpaired, name: namesOf(experiments)[index + 1]! })).filter((one) => one.n > 0);
  const show = (metric: string) => void navigate({ to: ".", search: ((old: object) => ({ ...old, tab: "Rows", metric, show: "changed" })) as never });
  return (
    <>
      {notes.map((note) => (
        <p key={note} className="notice warn">
          <Icon name="warn" size={14} />
          <span>{note}</span>
        </p>
      ))}
      <Card title="Differences from the baseline" flush actions={<span className="dim">{plural(comparison.rows, "answer")} paired</span>}>
        <Versus comparisons={every.map((one) => one.metrics)} names={namesOf(experiments)} rows={show} />
      </Card>
      <p className="dim prose">{corrected(comparison, experiments.length - 1)}</p>
      {unpaired.map((one) => (
        <p key={one.name} className="faint">
          {plural(one.n, "answer")} that only the baseline or only {one.name} has {one.n === 1 ? "is" : "are"} left out.
        </p>
      ))}
    </>
  );
}

/** What the intervals, verdicts and p-values are corrected for. */
function corrected(comparison: Comparison, candidates: number): string {
  const held = comparison.metrics[0]?.level ?? 0.95;
  const every = [comparison, ...(comparison.more ?? [])].flatMap((one) => one.metrics);
  const speed = every.filter((one) => isSpeed(one.unit)).length;
  const families = [[every.length - speed, "of quality"] as const, [speed, "of speed and size"] as const].filter(([n]) => n > 1);
  const p = families.length ? ` p-values are corrected (Holm) for the ${families.map(([n, what]) => `${count(n)} tests ${what}`).join(" and, apart, the ")}.` : "";
  if (candidates === 1)
    return `Better and worse are said where the ${level(held)} interval leaves out zero and the corrected p-value agrees.${p}`;
  return `Intervals are corrected for ${candidates} candidates (Bonferroni), and a verdict needs the corrected p-value too: each interval holds at ${level(held)}, so that those of a metric hold together at ${level(1 - (1 - held) * candidates)}.${p}`;
}

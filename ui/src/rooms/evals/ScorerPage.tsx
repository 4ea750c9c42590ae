import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Calibration, ScorerVersion } from "../../api/types";
import { Blank, Card, KeyValues, Snippet, Stats, Status, Time } from "../../kit/basics";
import { IntervalMark } from "../../kit/chart";
import { count, figure } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { Page, Primary, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { Calibrate } from "./Calibrate";
import { CodeForm } from "./CodeForm";
import { JudgeForm } from "./JudgeForm";
import { TryScorer } from "./TryScorer";
import { most, trust } from "./trust";

const TABS = ["Calibration", "Definition", "Try"] as const;
const CODE_TABS = ["Definition", "Try"] as const;

/** A judge: what it is, and how far people bear it out. A scorer in Python: its source. */
export function ScorerPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const [url, setUrl] = useUrl();
  const who = useWho();
  const [asking, setAsking] = useState<"change" | "calibrate">();
  const close = () => setAsking(undefined);
  const renewed = () => setUrl({ version: undefined, tab: "Definition" });
  const kind = url.kind === "code" ? "code" : "judge";
  const tabs = kind === "judge" ? TABS : CODE_TABS;
  const tab = useTab<(typeof TABS)[number]>(tabs);
  const query = $api.useQuery("get", "/scorers/versions/{kind}/{name}", { params: { path: { kind, name }, query: { selector: url.version ?? "" } } });
  return (
    <Page
      title={name}
      crumbs={[{ label: "Scorers", to: "/scorers" }]}
      badge={query.data && <code className="dim">{query.data.metric}</code>}
      actions={
        <>
          {may(who.data, kind === "judge" ? "scorer.write" : "code.write") && (
            <button type="button" className="btn" disabled={!query.data} onClick={() => setAsking("change")}>
              Change
            </button>
          )}
          {kind === "judge" && <Primary may={may(who.data, "scorer.write")} go={() => setAsking("calibrate")}>Calibrate</Primary>}
        </>
      }
      tabs={<Tabs tabs={tabs} label="Parts of the scorer" current={tab} />}
    >
      <Show query={query}>
        {(scorer) => (
          <>
            {tab === "Calibration" && <Calibrations name={name} />}
            {tab === "Definition" && <Definition scorer={scorer} />}
            {tab === "Try" && <TryScorer scorer={scorer} />}
          </>
        )}
      </Show>
      {asking === "calibrate" && <Calibrate judge={name} close={close} />}
      {asking === "change" && kind === "judge" && <JudgeForm judge={query.data} close={close} done={renewed} />}
      {asking === "change" && kind === "code" && <CodeForm scorer={query.data} close={close} done={renewed} />}
    </Page>
  );
}

function Definition({ scorer }: { scorer: ScorerVersion }) {
  const { judge, code } = scorer;
  return (
    <div className="stack">
      {judge && (
        <>
          <Card title="Rubric">
            <p style={{ whiteSpace: "pre-wrap" }}>{judge.rubric}</p>
          </Card>
          <Card title="Judge">
            <KeyValues
              items={[
                ["Model", <RefLink key="m" value={judge.model} />],
                ["Scale", judge.pair ? "which of two answers is better" : judge.scale.join(" · ")],
                ["Sees", ["answer", ...judge.shows].join(", ")],
                ["Trials", count(judge.trials)],
                ["Temperature", figure(judge.temperature)],
                ["By", scorer.created_by],
                ["Made", <Time key="t" at={scorer.created_at} />],
              ]}
            />
          </Card>
        </>
      )}
      {code && (
        <Card title={`Source, at most ${code.seconds} s and ${code.megabytes} MB`}>
          <Snippet code={code.source} label="Copy the source" />
        </Card>
      )}
    </div>
  );
}

function Calibrations({ name }: { name: string }) {
  const [url, setUrl] = useUrl();
  const query = $api.useQuery("get", "/scorers/calibrations/{judge}", { params: { path: { judge: name }, query: { limit: 50 } } });
  return (
    <Show query={query}>
      {(page) => {
        const chosen = page.items.find((one) => one.ref === url.calibration) ?? page.items[0];
        if (!chosen)
          return (
            <Blank
              icon="check"
              title="Not calibrated yet"
              text="Have people score some of an experiment's traces, then set the judge against them."
              code={`mainspring score create quality --trace-id … --label pass\nmainspring scorer calibrate ${name} EXPERIMENT --human quality`}
            />
          );
        return (
          <div className="stack">
            {page.items.length > 1 && (
              <label className="row">
                <span className="dim">Calibration</span>
                <select className="select" value={chosen.ref} onChange={(event) => setUrl({ calibration: event.target.value }, true)}>
                  {page.items.map((one) => (
                    <option key={one.ref} value={one.ref}>
                      {one.ref} ({count(one.n)} rows)
                    </option>
                  ))}
                </select>
              </label>
            )}
            <Calibrated one={chosen} />
          </div>
        );
      }}
    </Show>
  );
}

function Calibrated({ one }: { one: Calibration }) {
  return (
    <>
      <p className="row">
        <Status state={trust(one.verdict)} label={one.verdict} />
        <span className="dim">{one.sentence}</span>
      </p>
      <Stats
        items={[
          { label: "Rows", value: count(one.n), note: `scored "${one.human}" by people` },
          { label: "Agreement", value: `${figure(one.agreement * 100)} %` },
          { label: "Kappa", value: figure(one.kappa), note: span(one.kappa_low, one.kappa_high) },
          { label: "Bias", value: signed(one.bias), note: span(one.bias_low, one.bias_high) },
        ]}
      />
      <div className="columns">
        <div className="stack">
          <Confusion one={one} />
          <Disagreements one={one} />
        </div>
        <div className="stack">
          {one.corrected ? (
            <Corrected figure={one.corrected} />
          ) : (
            <Card title="Corrected for the judge's errors">
              <p className="dim">Nothing is corrected from so few labels: people must score at least 30 rows, and give each of two labels at least 5 times.</p>
            </Card>
          )}
          <Card title="Calibration">
            <KeyValues
              items={[
                ["Judge", <code key="j">{one.judge}</code>],
                ["Experiment", <RefLink key="e" value={`experiment/${one.experiment}`} />],
                ["By", one.created_by],
                ["Made", <Time key="t" at={one.created_at} />],
              ]}
            />
          </Card>
        </div>
      </div>
    </>
  );
}

function Confusion({ one }: { one: Calibration }) {
  const top = most(one.confusion);
  const lines = one.steps.map((step, index) => ({ step, counts: one.confusion[index] ?? [] }));
  return (
    <Card title="Steps of the judge (lines) and of people (columns)" flush>
      <Table
        label="Confusion"
        items={lines}
        id={(line) => line.step}
        columns={[
          { key: "step", label: "Judge", cell: (line) => <b>{line.step}</b> },
          ...one.steps.map((step, index) => ({
            key: step,
            label: step,
            numeric: true,
            cell: (line: (typeof lines)[number]) => {
              const held = line.counts[index] ?? 0;
              const tone = line.step === step ? "var(--ok-bg)" : "var(--warn-bg)";
              return (
                <span className="num" style={{ background: held ? tone : undefined, padding: "2px 8px", fontWeight: held === top ? 600 : undefined }}>
                  {count(held)}
                </span>
              );
            },
          })),
        ]}
      />
    </Card>
  );
}

function Disagreements({ one }: { one: Calibration }) {
  if (!one.disagreements.length) return null;
  return (
    <Card title="Widest disagreements" flush>
      <Table
        label="Disagreements"
        items={one.disagreements}
        id={(item) => item.row}
        columns={[
          { key: "row", label: "Row", cell: (item) => <span className="mono dim">{item.row}</span> },
          { key: "human", label: "People", numeric: true, cell: (item) => figure(item.human) },
          { key: "judge", label: "Judge", numeric: true, cell: (item) => figure(item.judge) },
          { key: "trace", label: "Trace", cell: (item) => <RefLink value={`trace/${item.trace_id}`} /> },
        ]}
      />
    </Card>
  );
}

function Corrected({ figure: one }: { figure: NonNullable<Calibration["corrected"]> }) {
  return (
    <Card title="Corrected for the judge's errors">
      <p className="row">
        <b className="num">{figure(one.value)}</b>
        {one.value != null && one.low != null && one.high != null && <IntervalMark value={one.value} low={one.low} high={one.high} min={0} max={1} mark={-1} />}
        <span className="num faint">{span(one.low, one.high)}</span>
      </p>
      <p className="dim">
        {one.method}: {one.note}
      </p>
    </Card>
  );
}

function span(low: number | null | undefined, high: number | null | undefined): string | undefined {
  return low == null || high == null ? undefined : `${figure(low)} to ${figure(high)}`;
}

function signed(value: number): string {
  return value > 0 ? `+${figure(value)}` : figure(value);
}

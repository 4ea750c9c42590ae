import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Calibration, ScorerInfo, ScorerVersion } from "../../api/types";
import { Blank, Status, Time } from "../../kit/basics";
import { figure } from "../../kit/format";
import { List, Table, type Column } from "../../kit/list";
import { Page, Primary, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { paged, PAGES } from "../../kit/pages";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { CodeForm } from "./CodeForm";
import { JudgeForm } from "./JudgeForm";
import { trust } from "./trust";

const TABS = ["Judges", "Python", "Built in"] as const;
const CODE = `mainspring scorer create-judge helpful model/base "It solves what was asked."
mainspring experiment run dataset/docs model/base --scorers judge:helpful
mainspring scorer calibrate helpful EXPERIMENT --human quality`;

/** How answers are judged: the project's own scorers, with what they are worth, and those that come with the product. */
export function ScorerList() {
  const tab = useTab(TABS);
  const navigate = useNavigate();
  const who = useWho();
  const [making, setMaking] = useState<"judge" | "code">();
  const close = () => setMaking(undefined);
  return (
    <Page
      title="Scorers"
      actions={
        <>
          {tab === "Judges" && <Primary may={may(who.data, "scorer.write")} go={() => setMaking("judge")}>Create a judge</Primary>}
          {tab === "Python" && <Primary may={may(who.data, "code.write")} go={() => setMaking("code")}>Create a scorer</Primary>}
        </>
      }
      tabs={<Tabs tabs={TABS} label="Kinds of scorers" current={tab} />}
      flush={tab !== "Built in"}
    >
      {tab === "Judges" && <Judges />}
      {tab === "Python" && <Python />}
      {tab === "Built in" && <BuiltIn />}
      {making === "judge" && <JudgeForm close={close} done={(made) => void navigate({ to: `/scorers/${made.name}`, search: { tab: "Definition" } as never })} />}
      {making === "code" && <CodeForm close={close} done={(made) => void navigate({ to: `/scorers/${made.name}`, search: { kind: "code" } as never })} />}
    </Page>
  );
}

function useOwn(kind: "judge" | "code") {
  return $api.useInfiniteQuery(
    "get",
    "/scorers/versions/{kind}",
    { params: { path: { kind }, query: { limit: 100 } } },
    PAGES,
  );
}

function Judges() {
  const navigate = useNavigate();
  const query = useOwn("judge");
  const held = $api.useQuery("get", "/scorers/calibrations", { params: { query: { limit: 200 } } });
  const latest = new Map<string, Calibration>(held.data?.items.map((one) => [one.judge.split("@")[0]!, one] as [string, Calibration]));
  const found = (one: ScorerVersion) => latest.get(`judge/${one.name}`);
  const columns: Column<ScorerVersion>[] = [
    { key: "name", label: "Judge", width: "minmax(160px,1fr)", cell: (one) => one.name },
    { key: "latest", label: "Latest", width: "64px", cell: (one) => <span className="dim">@{one.number}</span> },
    { key: "model", label: "Model", width: "minmax(160px,1fr)", cell: (one) => one.judge && <RefLink value={one.judge.model} /> },
    { key: "scale", label: "Scale", width: "minmax(140px,1fr)", cell: (one) => <span className="dim">{one.judge?.pair ? "pairs" : one.judge?.scale.join(" · ")}</span> },
    {
      key: "worth",
      label: "Against people",
      width: "190px",
      cell: (one) => {
        const calibration = found(one);
        if (!calibration) return <span className="faint">not calibrated</span>;
        return <Status state={trust(calibration.verdict)} label={calibration.verdict} />;
      },
    },
    { key: "kappa", label: "Kappa", width: "72px", numeric: true, cell: (one) => <span className="num">{figure(found(one)?.kappa)}</span> },
    { key: "at", label: "Changed", width: "96px", cell: (one) => <Time at={one.created_at} /> },
  ];
  return (
    <List
      label="Judges"
      noun="judge"
      {...paged(query)}
      columns={columns}
      id={(one) => one.name}
      open={(one) => void navigate({ to: `/scorers/${one.name}` })}
      blank={<Blank icon="check" title="No judges yet" text="A judge is a rubric, a scale and a model. What it says is worth what its calibration against people shows." code={CODE} />}
    />
  );
}

function Python() {
  const navigate = useNavigate();
  const query = useOwn("code");
  const columns: Column<ScorerVersion>[] = [
    { key: "name", label: "Scorer", width: "minmax(180px,1fr)", cell: (one) => one.name },
    { key: "latest", label: "Latest", width: "64px", cell: (one) => <span className="dim">@{one.number}</span> },
    { key: "limits", label: "Limits", width: "160px", cell: (one) => <span className="dim">{one.code && `${one.code.seconds} s, ${one.code.megabytes} MB`}</span> },
    { key: "at", label: "Changed", width: "96px", cell: (one) => <Time at={one.created_at} /> },
    { key: "by", label: "By", width: "120px", cell: (one) => one.created_by },
  ];
  return (
    <List
      label="Scorers in Python"
      noun="scorer"
      {...paged(query)}
      columns={columns}
      id={(one) => one.name}
      open={(one) => void navigate({ to: `/scorers/${one.name}`, search: { kind: "code" } as never })}
      blank={
        <Blank
          icon="tool"
          title="No scorers in Python yet"
          text="An admin may store a function of the standard library; it runs in a limited process."
          code={`mainspring scorer create-code polite 'def score(answer, reference, question, contexts):\n    return "please" in answer.lower()'`}
        />
      }
    />
  );
}

function BuiltIn() {
  const query = $api.useQuery("get", "/scorers");
  return (
    <Show query={query}>
      {(items: ScorerInfo[]) => (
        <Table
          label="Scorers"
          items={items}
          id={(one) => one.name}
          columns={[
            { key: "name", label: "Scorer", cell: (one) => <code>{one.argument === "required" ? `${one.name}:…` : one.name}</code> },
            { key: "summary", label: "What it tells", cell: (one) => <div className="told">{one.summary}</div> },
            { key: "unit", label: "Unit", cell: (one) => one.unit },
            { key: "better", label: "Better", cell: (one) => (one.higher_is_better ? "higher" : "lower") },
            { key: "margin", label: "Margin", numeric: true, cell: (one) => (one.relative ? `${figure(one.margin * 100)} %` : figure(one.margin)) },
            { key: "needs", label: "Needs", cell: (one) => <span className="dim">{one.needs.join(", ")}</span> },
          ]}
        />
      )}
    </Show>
  );
}

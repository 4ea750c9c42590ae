import { Link } from "@tanstack/react-router";
import { $api, ApiError } from "../../api/client";
import type { Lineage, LineageNode, NearRow } from "../../api/types";
import { Blank, Card, Status, Time } from "../../kit/basics";
import { fixed, plural } from "../../kit/format";
import { Icon, type IconName } from "../../kit/icons";
import { Show } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";

const ICONS: Record<string, IconName> = {
  dataset: "data",
  model: "model",
  prompt: "prompt",
  release: "release",
  deployment: "deploy",
  guard: "guard",
  experiment: "experiment",
  trace: "traces",
  file: "download",
};

/** What something came from and what it led to; for an answer, also the training rows that are nearest to its question. */
export function LineageView({ reference }: { reference: string }) {
  const whole = $api.useQuery("get", "/lineage", { params: { query: { ref: reference } } }, { retry: false });
  // Without an embedding model nearness cannot be told; what is recorded can be shown all the same.
  const bare = whole.error instanceof ApiError && [501, 503].includes(whole.error.status);
  const less = $api.useQuery("get", "/lineage", { params: { query: { ref: reference, nearest: 0 } } }, { enabled: bare });
  const query = bare ? less : whole;
  return <Show query={query}>{(lineage) => <Body lineage={lineage} />}</Show>;
}

function Body({ lineage }: { lineage: Lineage }) {
  const nothing = !lineage.upstream.length && !lineage.downstream.length && !lineage.nearest.length && !lineage.answer;
  if (nothing)
    return <Blank icon="lineage" title="Nothing is linked to this" text="Edges are recorded by runs: what they read, and what they wrote." small />;
  return (
    <div className="stack">
      {lineage.answer && <Story lineage={lineage} />}
      <Chain title="Came from" nodes={lineage.upstream} here={lineage.ref} />
      <Chain title="Led to" nodes={lineage.downstream} here={lineage.ref} />
      {lineage.decisions.length > 0 && (
        <Card title="Decisions">
          <ul className="stack tight">
            {lineage.decisions.map((decision) => (
              <li key={`${decision.release}${decision.at}`} className="row" style={{ flexWrap: "wrap" }}>
                <Status state={decision.kind} />
                <RefLink value={decision.release} />
                <span className="dim">by {decision.member},</span> <Time at={decision.at} />
                {decision.note && <span className="dim">“{decision.note}”</span>}
              </li>
            ))}
          </ul>
        </Card>
      )}
      {lineage.nearest.length > 0 && <Nearest rows={lineage.nearest} embedding={lineage.embedding ?? ""} />}
      {lineage.runs.length > 0 && (
        <Card title="Runs">
          <ul className="stack tight">
            {lineage.runs.map((run) => (
              <li key={run.id} className="row">
                <Status state={run.state} />
                <Link to={`/runs/${run.id}`} className="link">
                  {run.kind}
                </Link>
                <span className="dim cut">made {run.outputs.join(", ")}</span>
                <span style={{ marginLeft: "auto" }}>
                  <Time at={run.created_at} />
                </span>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </div>
  );
}

function Story({ lineage }: { lineage: Lineage }) {
  const answer = lineage.answer!;
  const datasets = lineage.upstream.filter((node) => node.kind === "dataset");
  const approved = lineage.decisions.filter((decision) => decision.kind === "approved" && decision.release === answer.release);
  return (
    <p>
      {answer.deployment && (
        <>
          <RefLink value={`deployment/${answer.deployment}`} /> answered with{" "}
        </>
      )}
      {answer.release ? <RefLink value={answer.release} /> : "no release"}
      {answer.model && (
        <>
          , whose model is <RefLink value={answer.model} />
        </>
      )}
      {datasets[0] && (
        <>
          , tuned on <RefLink value={datasets[0].ref} />
        </>
      )}
      .{approved.length > 0 && ` Approved by ${approved.map((decision) => decision.member).join(", ")}.`}
    </p>
  );
}

function Chain({ title, nodes, here }: { title: string; nodes: LineageNode[]; here: string }) {
  if (nodes.length === 0) return null;
  return (
    <Card title={title} actions={<span className="faint">{plural(nodes.length, "version")}</span>}>
      <ul className="chain" aria-label={`${title}: ${here}`}>
        {nodes.map((node) => (
          <li key={`${node.ref}${node.run}${node.note ?? ""}`} style={{ paddingLeft: (Math.min(node.depth, 8) - 1) * 16 }}>
            <Icon name={ICONS[node.kind] ?? "dot"} size={14} />
            <RefLink value={node.ref} />
            {node.note && <span className="tag">{node.note}</span>}
            {node.run && pageRun(node.run)}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function pageRun(run: string) {
  return (
    <Link to={`/runs/${run}`} className="faint" title={run}>
      run
    </Link>
  );
}

function Nearest({ rows, embedding }: { rows: NearRow[]; embedding: string }) {
  return (
    <Card title="Nearest training rows" actions={<span className="faint">{embedding}</span>}>
      <ul className="stack">
        {rows.map((row) => (
          <li key={`${row.dataset}${row.row_id}`} className="near">
            <span className="num" title="Cosine of the embeddings">
              {fixed(row.similarity, 2)}
            </span>
            <div className="grow">
              <p>{row.text}</p>
              <p className="faint">
                <RefLink value={row.dataset} /> row <code>{row.row_id}</code>
                {row.sources.map((source) => (
                  <span key={`${source.source_kind}${source.source_id}`}>
                    {" "}
                    ← {source.source_kind} <Source kind={source.source_kind} id={source.source_id} />
                  </span>
                ))}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Source({ kind, id }: { kind: string; id: string }) {
  if (kind === "trace") return <RefLink value={`trace/${id}`} />;
  if (kind === "row" && id.startsWith("dataset/")) return <RefLink value={id} />;
  return <code title={id}>{id.slice(0, 16)}</code>;
}

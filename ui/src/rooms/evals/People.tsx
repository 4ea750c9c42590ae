import { useQueries } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { $api } from "../../api/client";
import type { Experiment } from "../../api/types";
import { Card, Time } from "../../kit/basics";
import { figure, plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { toast } from "../../kit/toast";
import { may, useWho } from "../../shell/session";
import { amount, namesOf, span } from "./figures";
import { Versus } from "./Versus";

const USUAL = "quality";

/** A card of scores by people: asked for by name, since names are the project's own. */
function Named({ children, flush }: { children: ReactNode; flush?: boolean }) {
  const [url, setUrl] = useUrl();
  const [name, setName] = useState(url.human ?? USUAL);
  return (
    <Card
      title="Scores by people"
      flush={flush}
      actions={
        <form
          className="row"
          onSubmit={(event) => {
            event.preventDefault();
            setUrl({ human: name.trim() || undefined });
          }}
        >
          <input className="input" aria-label="Name of the score" value={name} onChange={(event) => setName(event.target.value)} />
          <button type="submit" className="btn">
            Show
          </button>
        </form>
      }
    >
      {children}
    </Card>
  );
}

/** What people gave an experiment's answers under a name, as a figure. */
export function People({ experiment }: { experiment: string }) {
  const [url] = useUrl();
  const query = $api.useQuery("get", "/scorers/human", { params: { query: { experiment, name: url.human ?? "" } } }, { enabled: Boolean(url.human), retry: false });
  const found = query.data?.figure;
  return (
    <Named>
      {!url.human && <p className="faint">Open a row to score its answer; the scores of one name make a figure here.</p>}
      {query.error && <p className="dim">{(query.error as unknown as Error).message}</p>}
      {found && (
        <p>
          <b>{amount(found.value, found.unit)}</b> <span className="dim">over {plural(found.n, "row")}</span>{" "}
          <span className="faint">{found.low == null ? found.note || "no interval" : `95 % interval ${span(found.low, found.high, found.unit)}, ${found.method}`}</span>
        </p>
      )}
    </Named>
  );
}

/** What people gave the answers of several experiments, each candidate against the baseline over the rows that both were judged on. */
export function PeopleCompared({ experiments }: { experiments: Experiment[] }) {
  const [url] = useUrl();
  const [baseline, ...candidates] = experiments as [Experiment, ...Experiment[]];
  const asked = candidates.map((one) =>
    $api.queryOptions("get", "/scorers/human", { params: { query: { experiment: one.id, baseline: baseline.id, name: url.human ?? "" } } }, { enabled: Boolean(url.human), retry: false }),
  );
  const results = useQueries({ queries: asked });
  const compared = results.map((one) => (one.data?.comparison ? [one.data.comparison] : []));
  const some = compared.some((one) => one.length > 0);
  if (some)
    return (
      <Named flush>
        <Versus comparisons={compared} names={namesOf(experiments)} />
        {candidates.length > 1 && <p className="faint left-out">These verdicts are not corrected for the number of candidates.</p>}
      </Named>
    );
  const failed = results.find((one) => one.error)?.error;
  return (
    <Named>
      <p className={failed ? "dim" : "faint"}>
        {failed ? (failed as unknown as Error).message : url.human && results.every((one) => one.data) ? "People judged no row of both." : "Where people scored answers of both sides, their scores are compared row by row."}
      </p>
    </Named>
  );
}

/** What people said of one answer, and a form to say it. Scores belong to the answer's trace. */
export function Judge({ trace }: { trace: string }) {
  const who = useWho();
  const [name, setName] = useState(USUAL);
  const [comment, setComment] = useState("");
  const query = $api.useQuery("get", "/scores", { params: { query: { trace_id: trace, limit: 100 } } });
  const create = $api.useMutation("post", "/scores", {
    onSuccess: () => {
      setComment("");
      void query.refetch();
    },
    onError: (error: unknown) => toast((error as Error).message, { tone: "error" }),
  });
  const give = (number: number) => create.mutate({ body: { name: name.trim() || USUAL, trace_id: trace, number, comment, correction: "", session_id: "", source: "human" } });
  const given = query.data?.items ?? [];
  return (
    <section className="stack tight" aria-label="Scores by people">
      <h3>Scores by people</h3>
      {given.length === 0 && <p className="faint">None yet.</p>}
      {given.map((score) => (
        <p key={score.id}>
          {score.name} <b>{score.label ?? figure(score.number)}</b>{" "}
          <span className="faint">
            {score.source === "human" ? score.created_by : score.source}, <Time at={score.created_at} />
          </span>
          {score.comment && <span className="dim"> · {score.comment}</span>}
        </p>
      ))}
      {may(who.data, "score.write") && (
        <div className="row judge-line">
          <input className="input" aria-label="Name of the score" value={name} onChange={(event) => setName(event.target.value)} />
          <input className="input grow" aria-label="Comment" placeholder="Why" value={comment} onChange={(event) => setComment(event.target.value)} />
          <button type="button" className="btn" disabled={create.isPending} onClick={() => give(1)}>
            Good
          </button>
          <button type="button" className="btn" disabled={create.isPending} onClick={() => give(0)}>
            Bad
          </button>
        </div>
      )}
    </section>
  );
}

import type { Score } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { figure } from "../../kit/format";
import { Table } from "../../kit/list";

/** What people, code and models said of a trace. */
export function Scores({ trace }: { trace: { trace_id: string; scores: Score[]; older_scores?: string | null } }) {
  if (trace.scores.length === 0)
    return (
      <Blank
        small
        icon="check"
        title="No scores yet"
        text="Feedback from your application lands here."
        code={`mainspring score create thumbs --trace-id ${trace.trace_id} --number 1`}
      />
    );
  return (
    <div className="stack">
      {trace.older_scores && (
        <p className="dim">
          The newest {trace.scores.length}. <code>{`mainspring score list --trace-id ${trace.trace_id}`}</code> goes on to the older ones.
        </p>
      )}
      <Table
        label="Scores"
        items={trace.scores}
        id={(score) => score.id}
        columns={[
          { key: "name", label: "Name", cell: (s) => s.name },
          { key: "value", label: "Value", numeric: true, cell: (s) => s.label ?? figure(s.number) },
          { key: "source", label: "Source", cell: (s) => s.source },
          { key: "by", label: "By", cell: (s) => s.created_by },
          { key: "at", label: "When", cell: (s) => <Time at={s.created_at} /> },
        ]}
      />
      {trace.scores.map(
        (score) =>
          (score.comment || score.correction) && (
            <article key={score.id} className="message">
              <header>{score.name}</header>
              {score.comment && <p>{score.comment}</p>}
              {score.correction && <p>Should have been: {score.correction}</p>}
            </article>
          ),
      )}
    </div>
  );
}

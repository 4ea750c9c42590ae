import { Link } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Score, Turn } from "../../api/types";
import { Blank, Copy, Skeleton, Stats, Status, Time } from "../../kit/basics";
import { count, duration, figure, money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Failure, Page, Show } from "../../kit/page";
import { PAGES } from "../../kit/pages";
import { Side } from "./Content";

/** A session as the conversation that it was. */
export function SessionPage() {
  const [url] = useUrl();
  const id = url.id ?? "";
  const session = $api.useQuery("get", "/sessions/{session_id}", { params: { path: { session_id: id } } }, { enabled: id !== "", retry: false });
  const crumbs = [{ label: "Sessions", to: "/sessions" }];
  if (!id)
    return (
      <Page title="Conversation" crumbs={crumbs}>
        <Blank icon="chat" title="No session is named" text="Open one from the list of sessions, or from a span that belongs to one." />
      </Page>
    );
  const line = session.data?.session;
  return (
    <Page
      title={id}
      crumbs={crumbs}
      badge={<span className="id"><Copy value={id} what="Copy the session's id" /></span>}
      actions={
        <Link className="btn" to="/traces" search={{ session_id: id } as never}>
          Its traces
        </Link>
      }
    >
      <div className="stack">
        <Show query={session} lines={2}>
          {() =>
            line && (
              <Stats
                items={[
                  { label: "Turns", value: count(line.traces), note: line.errors ? `${count(line.errors)} failed` : undefined },
                  { label: "User", value: line.user_id ? <Link className="link" to="/users" search={{ peek: line.user_id } as never}>{line.user_id}</Link> : "unknown" },
                  { label: "Began", value: <Time at={line.first_at} /> },
                  { label: "Lasted", value: duration(new Date(line.last_at).getTime() - new Date(line.first_at).getTime()) },
                  { label: "Tokens", value: count(line.input_tokens + line.output_tokens) },
                  { label: "Cost", value: money(line.cost) },
                ]}
              />
            )
          }
        </Show>
        {line && <Conversation id={id} scores={session.data?.scores ?? []} />}
      </div>
    </Page>
  );
}

function Conversation({ id, scores }: { id: string; scores: Score[] }) {
  const query = $api.useInfiniteQuery("get", "/conversations/{session_id}", { params: { path: { session_id: id }, query: { limit: 50 } } }, PAGES);
  if (query.error && !query.data) return <Failure error={query.error} retry={query.refetch} />;
  if (!query.data) return <Skeleton lines={8} />;
  const turns = query.data.pages.flatMap((page) => page.items).toReversed();
  const about = scores.filter((score) => !score.trace_id);
  return (
    <div className="conversation" role="log" aria-label="Conversation">
      {query.hasNextPage && (
        <button type="button" className="btn" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show what was said before
        </button>
      )}
      {turns.map((turn) => (
        <Said key={turn.trace.trace_id} turn={turn} scores={scores.filter((score) => score.trace_id === turn.trace.trace_id)} />
      ))}
      {about.length > 0 && (
        <p>
          Of the session: <Given scores={about} />
        </p>
      )}
    </div>
  );
}

function Said({ turn, scores }: { turn: Turn; scores: Score[] }) {
  const { trace } = turn;
  return (
    <section className="turn" aria-label={`Turn of ${trace.started_at}`}>
      <header>
        <Status state={trace.status} />
        <Time at={trace.started_at} />
        <span>{duration(trace.duration_ms)}</span>
        <span>{count(trace.input_tokens + trace.output_tokens)} tokens</span>
        <span>{money(trace.cost)}</span>
        {trace.release && <span className="dim">{trace.release}</span>}
        <Given scores={scores} />
        <Link className="link" to={`/traces/${trace.trace_id}`}>
          trace
        </Link>
      </header>
      {turn.span_id === "" ? (
        <p className="faint">{trace.name}: nothing that was said was captured.</p>
      ) : (
        <>
          <Side title="Input" value={turn.input} role="user" json={false} />
          <Side title="Output" value={turn.output} role="assistant" json={false} />
          {turn.cut && <p className="faint">Some of it is too long to be shown here; the trace has it whole.</p>}
        </>
      )}
    </section>
  );
}

function Given({ scores }: { scores: Score[] }) {
  return scores.map((score) => (
    <span key={score.id} className="tag" title={score.comment || `by ${score.created_by}`}>
      {score.name} {score.label ?? (score.number == null ? "" : figure(score.number))}
    </span>
  ));
}

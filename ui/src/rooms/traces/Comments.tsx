import { useState } from "react";
import { $api } from "../../api/client";
import type { TraceComment } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { Refused } from "../../kit/Dialog";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { useOutcome } from "../../kit/outcome";
import { Show } from "../../kit/page";
import { may, useWho } from "../../shell/session";
import type { SpanNode } from "./tree";

export function useComments(trace: string) {
  return $api.useQuery("get", "/comments", { params: { query: { trace_id: trace, limit: 500 } } });
}

/** What members wrote about a trace and its spans, oldest first, and room for more. */
export function Comments({ trace, spans, chosen }: { trace: string; spans: readonly SpanNode[]; chosen: SpanNode }) {
  const who = useWho();
  const outcome = useOutcome();
  const [, setUrl] = useUrl();
  const [text, setText] = useState("");
  const [about, setAbout] = useState(false);
  const query = useComments(trace);
  const write = $api.useMutation("post", "/comments", outcome("Said.", { done: () => setText(""), quiet: true }));
  const drop = $api.useMutation(
    "delete",
    "/comments/{comment_id}",
    outcome("Taken back.", { undo: (gone: TraceComment) => write.mutate({ body: { trace_id: trace, text: gone.text, span_id: gone.span_id || null } }) }),
  );
  const names = new Map(spans.map((span) => [span.span_id, span.name || span.kind]));
  const send = () => text.trim() && !write.isPending && write.mutate({ body: { trace_id: trace, text, span_id: about ? chosen.span_id : null } });
  return (
    <div className="stack">
      <Show query={query} lines={3}>
        {(page) =>
          page.items.length === 0 ? (
            <Blank small icon="chat" title="No comments yet" text="What is to be said of this trace to whoever opens it next." />
          ) : (
            <>
              {page.items.toReversed().map((one) => (
                <article key={one.id} className="message">
                  <header>
                    <span>{one.created_by}</span>
                    {one.span_id && (
                      <button type="button" className="link" onClick={() => setUrl({ span: one.span_id, pane: undefined })}>
                        on {names.get(one.span_id) ?? one.span_id}
                      </button>
                    )}
                    <span className="faint">
                      <Time at={one.created_at} />
                    </span>
                    {(one.created_by === who.data?.member || may(who.data, "comment.delete")) && (
                      <button type="button" className="btn icon quiet id" aria-label="Take the comment back" onClick={() => drop.mutate({ params: { path: { comment_id: one.id } } })}>
                        <Icon name="cross" size={12} />
                      </button>
                    )}
                  </header>
                  <p>{one.text}</p>
                </article>
              ))}
            </>
          )
        }
      </Show>
      {may(who.data, "comment.write") && (
        <form
          className="stack tight"
          onSubmit={(event) => {
            event.preventDefault();
            send();
          }}
        >
          <textarea
            className="area"
            aria-label="Comment"
            placeholder="Write a comment"
            maxLength={10_000}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) send();
            }}
          />
          <div className="row">
            <label className="row">
              <input type="checkbox" checked={about} onChange={(event) => setAbout(event.target.checked)} /> about {chosen.name || chosen.kind}
            </label>
            <button type="submit" className="btn primary" style={{ marginLeft: "auto" }} disabled={!text.trim() || write.isPending}>
              Comment
            </button>
          </div>
          <Refused error={write.error} />
        </form>
      )}
    </div>
  );
}

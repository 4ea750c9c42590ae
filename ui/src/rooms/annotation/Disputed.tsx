import { $api } from "../../api/client";
import type { QueueItem } from "../../api/types";
import { Time } from "../../kit/basics";
import { useOutcome } from "../../kit/outcome";
import { Show } from "../../kit/page";
import { may, useWho } from "../../shell/session";

/** What reviewers said of an item, and the choice of one of them where they disagree. */
export function Disputed({ name, item }: { name: string; item: QueueItem }) {
  const who = useWho();
  const outcome = useOutcome();
  const path = { name, item_id: item.id };
  const query = $api.useQuery("get", "/queues/{name}/items/{item_id}/reviews", { params: { path } });
  const settle = $api.useMutation("post", "/queues/{name}/items/{item_id}/adjudicate", outcome("Settled."));
  return (
    <Show query={query} lines={3}>
      {(reviews) => (
        <div className="stack tight">
          {reviews.length > 0 && <h3>What reviewers said</h3>}
          {reviews.map((one) => (
            <article key={`${one.reviewer}${one.adjudication}`} className="message">
              <header>
                <span>{one.adjudication ? `${one.reviewer}, settling it` : one.reviewer}</span> <Time at={one.at} />
              </header>
              <p>
                {one.skipped
                  ? "skipped it"
                  : Object.entries(one.answers)
                      .map(([key, value]) => `${key}: ${value}`)
                      .join(" · ")}
              </p>
              {one.comment && <p className="dim">{one.comment}</p>}
              {item.state === "disputed" && !one.skipped && may(who.data, "queue.adjudicate") && (
                <button type="button" className="btn" disabled={settle.isPending} onClick={() => settle.mutate({ params: { path }, body: { answers: one.answers, comment: "" } })}>
                  Settle as {one.reviewer} says
                </button>
              )}
            </article>
          ))}
        </div>
      )}
    </Show>
  );
}

import type { ReactNode } from "react";
import { $api, ApiError } from "../../api/client";
import type { Run, RunEvent } from "../../api/types";
import { Bar, Blank, Card, KeyValues, Status, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { count, duration } from "../../kit/format";
import { Failure } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { finished, remaining, share } from "./progress";
import { RunLog, useEvents } from "./RunLog";

const POLL = 1_000;

/** A run by its id, read again until it has ended. */
export function useRun(id: string, wanted: boolean) {
  return $api.useQuery(
    "get",
    "/runs/{run_id}",
    { params: { path: { run_id: id } } },
    { enabled: wanted, retry: false, refetchInterval: (query) => (!query.state.data || finished(query.state.data.state) ? false : POLL) },
  );
}

/**
 * A run that is to become what its page shows, or did not become it; `wordless` where what is done says nothing as a number, `found` for
 * what it has found so far.
 */
export function UnderWay({ run, wordless, found }: { run: Run; wordless?: boolean; found?: (logs: RunEvent[]) => ReactNode }) {
  const logs = useEvents(run).filter((event) => event.kind === "log");
  const left = remaining(run, Date.now());
  const over = finished(run.state);
  const { message, done, total } = run.progress;
  const so_far = [message, total && !wordless ? `${count(done)} of ${count(total)}` : ""].filter(Boolean).join(" ") || "It begins";
  return (
    <div className="stack">
      {run.error && <Failure error={new ApiError(0, String(run.error.code), String(run.error.message), String(run.error.hint ?? ""))} />}
      {run.state === "cancelled" && <p className="notice warn">It was stopped before it had ended. It can be resumed where it was.</p>}
      {!over && <Bar share={share(run)} label="Progress" />}
      {!over && (
        <p className="dim" role="status">
          {run.state === "queued" ? "Waiting for the worker" : so_far}
          {left !== null && `, about ${duration(left)} left`}
        </p>
      )}
      <div className="columns">
        <div className="stack">
          {found?.(logs)}
          <Card title="Log" flush>
            {logs.length ? <RunLog events={logs} follow={!over} /> : <Blank small icon="clock" title="Nothing logged yet" />}
          </Card>
        </div>
        <div className="stack">
          <Card title="What is asked">
            <Facts value={run.params} />
          </Card>
          <Card title="Run">
            <KeyValues
              items={[
                ["State", <Status key="s" state={run.state} />],
                ["Run", <RefLink key="r" value={`run/${run.id}`} />],
                ["By", run.created_by],
                ["Queued", <Time key="t" at={run.created_at} />],
              ]}
            />
          </Card>
        </div>
      </div>
    </div>
  );
}

import { $api } from "../../api/client";
import type { Run } from "../../api/types";
import { Icon } from "../../kit/icons";
import { useOutcome } from "../../kit/outcome";
import { may, useWho } from "../../shell/session";

/** What can be done with a run as it stands: stop it, or let it go on. */
export function RunActions({ run }: { run: Run }) {
  const outcome = useOutcome();
  const who = useWho();
  const cancel = $api.useMutation("post", "/runs/{run_id}/cancel", outcome("The run is asked to stop."));
  const resume = $api.useMutation("post", "/runs/{run_id}/resume", outcome("The run is queued again."));
  const call = { params: { path: { run_id: run.id } } };
  if (!may(who.data, "run.write") && !may(who.data, "run.cancel")) return null;
  if (run.state === "queued" || run.state === "running")
    return (
      <button type="button" className="btn" disabled={cancel.isPending} onClick={() => cancel.mutate(call)}>
        <Icon name="cross" size={14} /> Stop
      </button>
    );
  if (run.state === "failed" || run.state === "cancelled")
    return (
      <button type="button" className="btn primary" disabled={resume.isPending} onClick={() => resume.mutate(call)}>
        <Icon name="run" size={14} /> Resume
      </button>
    );
  return null;
}

import { useEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import type { Run, RunEvent } from "../../api/types";
import { append, finished } from "./progress";

const POLL = 1_000;

/** The events of a run, fetched page by page and then followed while it is under way. */
export function useEvents(run: Run): RunEvent[] {
  const [events, setEvents] = useState<RunEvent[]>([]);
  const after = useRef(0);
  const over = finished(run.state);
  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async () => {
      try {
        const { data } = await api.GET("/runs/{run_id}/logs", { params: { path: { run_id: run.id }, query: { after: after.current, limit: 1000 } } });
        if (stopped) return;
        const page = data ?? [];
        setEvents((known) => append(known, page));
        after.current = page.at(-1)?.seq ?? after.current;
        if (page.length === 1000) return void poll();
      } catch {
        // The page shows the run's own error; the log is asked for again.
      }
      if (!stopped && !over) timer = setTimeout(() => void poll(), POLL);
    };
    void poll();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [run.id, over]);
  return events;
}

/** The log of a run; it stays at its end while the run goes on. */
export function RunLog({ events, follow }: { events: RunEvent[]; follow: boolean }) {
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = end.current?.parentElement;
    if (follow && box && box.scrollHeight - box.scrollTop - box.clientHeight < 120) box.scrollTop = box.scrollHeight;
  }, [events, follow]);
  return (
    <div className="log" tabIndex={0} role="log" aria-label="Log">
      {events.slice(-2000).map((event) => (
        <div key={event.seq}>
          <time>{new Date(event.at).toLocaleTimeString("en-GB")}</time>
          <span>{String((event.body as { text?: string }).text ?? "")}</span>
        </div>
      ))}
      <div ref={end} />
    </div>
  );
}

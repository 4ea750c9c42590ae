import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { $api } from "../../api/client";
import type { TraceLine } from "../../api/types";
import { Blank, Id, Status, Time } from "../../kit/basics";
import { count, duration, money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { paged, PAGES, type Shown } from "../../kit/pages";
import { SavedViews } from "../../shell/SavedViews";
import { Bulk } from "./Bulk";
import { FILTERS, filterOf, type Query } from "./filter";
import { TraceFilters } from "./TraceFilters";
import { TraceHistogram } from "./TraceHistogram";
import { TracePeek } from "./TracePeek";

const SNIPPET = `from openai import OpenAI

client = OpenAI(base_url="${location.origin}/v1", api_key="ms_…")
answer = client.chat.completions.create(
    model="<deployment>", messages=[{"role": "user", "content": "Hello"}])

# or send what you have already
# OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`;

const COLUMNS: Column<TraceLine>[] = [
  { key: "status", label: "Status", width: "88px", cell: (t) => <Status state={t.status} /> },
  { key: "at", label: "Started", width: "92px", cell: (t) => <Time at={t.started_at} /> },
  { key: "name", label: "Name", width: "minmax(140px,1fr)", cell: (t) => t.name || t.kind },
  { key: "input", label: "Input", width: "minmax(180px,2fr)", cell: (t) => <span className="dim">{t.input_preview}</span> },
  { key: "output", label: "Output", width: "minmax(180px,2fr)", cell: (t) => <span className="dim">{t.output_preview}</span> },
  { key: "release", label: "Release", width: "minmax(96px,0.8fr)", cell: (t) => <span className="dim">{t.release.replace("release/", "") || t.model}</span> },
  { key: "latency", label: "Latency", width: "76px", numeric: true, cell: (t) => <span className="num">{t.status === "running" ? "" : duration(t.duration_ms)}</span> },
  { key: "tokens", label: "Tokens", width: "64px", numeric: true, cell: (t) => <span className="num">{count(t.input_tokens + t.output_tokens)}</span> },
  { key: "cost", label: "Cost", width: "76px", numeric: true, cell: (t) => <span className="num">{money(t.cost)}</span> },
];
const NEWEST = 100;
const TAIL_MS = 2_000;

/** Every call that was recorded: narrowed by filters and words, walked by J and K, marked by X. */
export function TraceList() {
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const live = Boolean(url.live);
  const filter = filterOf(url, Date.now());
  const traces = useLines(filter, live);
  const [marked, setMarked] = useState<readonly string[]>([]);
  const narrowed = FILTERS.some((name) => url[name]);
  // Of the address, not of the times that it stands for now: these move on by the minute, and no mark goes with that.
  const shown = JSON.stringify(FILTERS.map((name) => url[name]));
  useEffect(() => setMarked([]), [shown]);
  const toggle = (id: string) => setMarked((old) => (old.includes(id) ? old.filter((one) => one !== id) : [...old, id].slice(-1000)));
  return (
    <Page
      title="Traces"
      flush
      badge={
        <button type="button" className="btn" aria-pressed={live} onClick={() => setUrl({ live: live ? undefined : "1" })}>
          <Icon name={live ? "pause" : "run"} size={14} /> {live ? "Live" : "Go live"}
        </button>
      }
      actions={
        <>
          <Bulk marked={marked} filter={filter} clear={() => setMarked([])} />
          <SavedViews page="traces" keys={FILTERS} />
        </>
      }
    >
      <TraceFilters />
      <TraceHistogram filter={filter} live={live} />
      {live && <Tail items={traces.items} />}
      <List
        label="Traces"
        noun="trace"
        {...traces}
        columns={COLUMNS}
        id={(trace) => trace.trace_id}
        open={(trace) => void navigate({ to: `/traces/${trace.trace_id}` })}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        marks={{ marked, toggle, label: (trace) => `Mark ${trace.name || trace.kind} ${trace.trace_id.slice(0, 8)}` }}
        peek={(trace) => <TracePeek trace={trace} />}
        peekTitle={(trace) => (
          <span className="row">
            {trace.name || trace.kind} <Id value={trace.trace_id} />
          </span>
        )}
        blank={
          narrowed ? (
            <Blank
              icon="filter"
              title={traces.hasMore ? "None found yet" : "No trace matches"}
              text={
                traces.hasMore ? (
                  <button type="button" className="btn" disabled={traces.loadingMore} onClick={traces.loadMore}>
                    Look further back
                  </button>
                ) : (
                  "Take a filter away, or search for fewer words: all of them must stand in the trace."
                )
              }
            />
          ) : (
            <Blank icon="traces" title="No traces yet" text="Every call through the gateway becomes a trace; so does whatever an OpenTelemetry exporter sends." code={SNIPPET} actions={<Link to="/quickstart" className="btn">Quick start</Link>} />
          )
        }
      />
    </Page>
  );
}

/** The list page by page; while it is live, its newest page again and again. */
function useLines(filter: Query, live: boolean): Shown<TraceLine> {
  const asked = { params: { query: { ...filter, limit: NEWEST } as never } };
  const pages = $api.useInfiniteQuery("get", "/traces", asked, { ...PAGES, enabled: !live });
  // An empty cursor asks the same, and has a place of its own in the cache.
  const tail = $api.useQuery("get", "/traces", { params: { query: { ...filter, limit: NEWEST, cursor: "" } as never } }, { enabled: live, refetchInterval: TAIL_MS, placeholderData: (old) => old });
  return live ? { items: tail.data?.items, error: tail.error, retry: tail.refetch } : paged(pages);
}

/** What has come since somebody began to watch. */
function Tail({ items }: { items: TraceLine[] | undefined }) {
  const [first, setFirst] = useState<string>();
  const newest = items?.[0]?.trace_id ?? "";
  useEffect(() => {
    if (items && first === undefined) setFirst(newest);
  }, [items, first, newest]);
  const at = items?.findIndex((one) => one.trace_id === first) ?? 0;
  const come = first === "" ? (items?.length ?? 0) : at < 0 ? NEWEST : at;
  const running = items?.filter((one) => one.status === "running").length ?? 0;
  return (
    <p className="tail" role="status">
      <span className="pulse" aria-hidden="true" />
      {at < 0 && first !== "" ? `${NEWEST} or more` : count(come)} since you began to watch · the newest {NEWEST} are shown, every {TAIL_MS / 1000} s
      {running > 0 && ` · ${count(running)} running`}
    </p>
  );
}

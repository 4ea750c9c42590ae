import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { $api } from "../../api/client";
import type { TraceLine } from "../../api/types";
import { Blank, Id, Status, Time } from "../../kit/basics";
import { count, duration, money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { FILTERS, filterOf, SINCE } from "./filter";
import { TracePeek } from "./TracePeek";

const SNIPPET = `from openai import OpenAI

client = OpenAI(base_url="${location.origin}/v1", api_key="ms_…")
answer = client.chat.completions.create(
    model="<deployment>", messages=[{"role": "user", "content": "Hello"}])

# or send what you have already: OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`;

const COLUMNS: Column<TraceLine>[] = [
  { key: "status", label: "Status", width: "76px", cell: (t) => <Status state={t.status} /> },
  { key: "at", label: "Started", width: "92px", cell: (t) => <Time at={t.started_at} /> },
  { key: "name", label: "Name", width: "minmax(140px,1fr)", cell: (t) => t.name || t.kind },
  { key: "input", label: "Input", width: "minmax(180px,2fr)", cell: (t) => <span className="dim">{t.input_preview}</span> },
  { key: "output", label: "Output", width: "minmax(180px,2fr)", cell: (t) => <span className="dim">{t.output_preview}</span> },
  { key: "release", label: "Release", width: "minmax(96px,0.8fr)", cell: (t) => <span className="dim">{t.release.replace("release/", "") || t.model}</span> },
  { key: "latency", label: "Latency", width: "76px", numeric: true, cell: (t) => <span className="num">{duration(t.duration_ms)}</span> },
  { key: "tokens", label: "Tokens", width: "64px", numeric: true, cell: (t) => <span className="num">{count(t.input_tokens + t.output_tokens)}</span> },
  { key: "cost", label: "Cost", width: "76px", numeric: true, cell: (t) => <span className="num">{money(t.cost)}</span> },
];

/** Every call that was recorded: narrowed by filters and words, walked by J and K. */
export function TraceList() {
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const filter = filterOf(url, Date.now());
  const traces = $api.useInfiniteQuery(
    "get",
    "/traces",
    { params: { query: { ...filter, limit: 100 } } },
    {
      pageParamName: "cursor",
      initialPageParam: "",
      getNextPageParam: (page) => page.next_cursor || undefined,
      refetchInterval: url.live ? 2_000 : false,
    },
  );
  const items = traces.data?.pages.flatMap((page) => page.items);
  const narrowed = FILTERS.some((name) => url[name]) || url.since;
  const open = (trace: TraceLine) => void navigate({ to: `/traces/${trace.trace_id}` });
  return (
    <Page
      title="Traces"
      flush
      actions={
        <button type="button" className="btn" aria-pressed={Boolean(url.live)} onClick={() => setUrl({ live: url.live ? undefined : "1" })}>
          <Icon name={url.live ? "pause" : "run"} size={14} /> {url.live ? "Live" : "Go live"}
        </button>
      }
    >
      <Filters />
      <List
        label="Traces"
        noun="trace"
        items={items}
        error={traces.error}
        retry={traces.refetch}
        columns={COLUMNS}
        id={(trace) => trace.trace_id}
        open={open}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peek={(trace) => <TracePeek trace={trace} />}
        peekTitle={(trace) => (
          <span className="row">
            {trace.name || trace.kind} <Id value={trace.trace_id} />
          </span>
        )}
        hasMore={traces.hasNextPage}
        loadMore={() => void traces.fetchNextPage()}
        loadingMore={traces.isFetchingNextPage}
        blank={
          narrowed ? (
            <Blank icon="filter" title="No trace matches" text="Take a filter away, or search for fewer words: all of them must stand in the trace." />
          ) : (
            <Blank
              icon="traces"
              title="No traces yet"
              text="Every call through the gateway becomes a trace; so does whatever an OpenTelemetry exporter sends."
              code={SNIPPET}
            />
          )
        }
      />
    </Page>
  );
}

const LABELS: Record<string, string> = { model: "Model", deployment: "Deployment", release: "Release", session_id: "Session", user_id: "User", service: "Service", prompt: "Prompt", environment: "Environment" };

function Filters() {
  const [url, setUrl] = useUrl();
  const [words, setWords] = useState(url.query ?? "");
  useEffect(() => setWords(url.query ?? ""), [url.query]);
  return (
    <search className="filters">
      <form
        className="searchbox"
        onSubmit={(event) => {
          event.preventDefault();
          setUrl({ query: words.trim() || undefined, peek: undefined }, true);
        }}
      >
        <Icon name="search" size={14} />
        <input
          className="input"
          type="search"
          placeholder="Words in inputs and outputs"
          aria-label="Search words"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
      </form>
      <select className="select" aria-label="Status" value={url.status ?? ""} onChange={(event) => setUrl({ status: event.target.value || undefined }, true)}>
        <option value="">Any status</option>
        <option value="ok">ok</option>
        <option value="error">error</option>
        <option value="running">running</option>
        <option value="unfinished">unfinished</option>
      </select>
      <select className="select" aria-label="Time" value={url.since ?? ""} onChange={(event) => setUrl({ since: event.target.value || undefined }, true)}>
        <option value="">Any time</option>
        {Object.entries(SINCE).map(([value, { label }]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <select
        className="select"
        aria-label="Latency"
        value={url.min_duration_ms ?? ""}
        onChange={(event) => setUrl({ min_duration_ms: event.target.value || undefined }, true)}
      >
        <option value="">Any latency</option>
        {["100", "500", "1000", "5000", "30000"].map((ms) => (
          <option key={ms} value={ms}>
            over {duration(Number(ms))}
          </option>
        ))}
      </select>
      {Object.keys(LABELS).map(
        (name) =>
          url[name] && (
            <button key={name} type="button" className="btn" aria-label={`Remove the filter ${LABELS[name]}`} onClick={() => setUrl({ [name]: undefined }, true)}>
              {LABELS[name]}: {url[name]?.replace(/^!/, "not ").replaceAll(",", ", ")} <Icon name="cross" size={12} />
            </button>
          ),
      )}
    </search>
  );
}

import { useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Run } from "../../api/types";
import { Bar, Blank, Id, Status, Time } from "../../kit/basics";
import { duration } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { elapsed, finished, share } from "./progress";
import { subject } from "./subject";

const KINDS = ["tune.sft", "recipe.run", "profile.create", "experiment.run"];
const STATES = ["queued", "running", "succeeded", "failed", "cancelled"];

const COLUMNS: Column<Run>[] = [
  { key: "state", label: "State", width: "104px", cell: (run) => <Status state={run.state} /> },
  { key: "kind", label: "Kind", width: "140px", cell: (run) => run.kind },
  { key: "what", label: "What", width: "minmax(160px,1.4fr)", cell: (run) => <span className="dim">{subject(run)}</span> },
  {
    key: "progress",
    label: "Progress",
    width: "minmax(140px,1fr)",
    cell: (run) =>
      finished(run.state) ? (
        <span className="faint">{run.error ? String(run.error.message) : run.progress.message}</span>
      ) : (
        <Bar share={share(run)} label={`Progress of ${run.kind}`} />
      ),
  },
  { key: "created", label: "Created", width: "96px", cell: (run) => <Time at={run.created_at} /> },
  { key: "by", label: "By", width: "96px", cell: (run) => run.created_by },
  { key: "took", label: "Took", width: "96px", numeric: true, cell: (run) => <span className="num">{duration(elapsed(run, Date.now()))}</span> },
  { key: "id", label: "Run", width: "128px", cell: (run) => <Id value={run.id} length={13} /> },
];

export function RunList() {
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const runs = $api.useInfiniteQuery(
    "get",
    "/runs",
    { params: { query: { kind: url.kind, state: url.state as Run["state"] | undefined, limit: 100 } } },
    { pageParamName: "cursor", initialPageParam: "", getNextPageParam: (page) => page.next_cursor || undefined, refetchInterval: 3_000 },
  );
  return (
    <Page title="Runs" flush>
      <search className="filters">
        <select className="select" aria-label="Kind" value={url.kind ?? ""} onChange={(event) => setUrl({ kind: event.target.value || undefined }, true)}>
          <option value="">Any kind</option>
          {KINDS.map((kind) => (
            <option key={kind}>{kind}</option>
          ))}
        </select>
        <select className="select" aria-label="State" value={url.state ?? ""} onChange={(event) => setUrl({ state: event.target.value || undefined }, true)}>
          <option value="">Any state</option>
          {STATES.map((state) => (
            <option key={state}>{state}</option>
          ))}
        </select>
      </search>
      <List
        label="Runs"
        noun="run"
        items={runs.data?.pages.flatMap((page) => page.items)}
        error={runs.error}
        retry={runs.refetch}
        columns={COLUMNS}
        id={(run) => run.id}
        open={(run) => void navigate({ to: `/runs/${run.id}` })}
        hasMore={runs.hasNextPage}
        loadMore={() => void runs.fetchNextPage()}
        loadingMore={runs.isFetchingNextPage}
        blank={
          url.kind || url.state ? (
            <Blank icon="filter" title="No run matches" text="Choose another kind or state." />
          ) : (
            <Blank
              icon="run"
              title="No runs yet"
              text="Long work (profiles, recipes, tuning, experiments) runs in the worker and survives a crash."
              code={"mainspring tune sft dataset/docs model/smollm2 --name docs-lora"}
            />
          )
        }
      />
    </Page>
  );
}

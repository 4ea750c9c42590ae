import { useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Experiment } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { count, figure } from "../../kit/format";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";

const bare = (ref: string) => ref.replace(/^[a-z]+\//, "");

const COLUMNS: Column<Experiment>[] = [
  { key: "name", label: "Experiment", width: "minmax(160px,1.2fr)", cell: (e) => e.name || e.id.slice(0, 13) },
  { key: "target", label: "Target", width: "minmax(140px,1fr)", cell: (e) => <span className="dim">{bare(e.target)}</span> },
  { key: "prompt", label: "Prompt", width: "minmax(110px,0.8fr)", cell: (e) => <span className="dim">{bare(e.prompt)}</span> },
  { key: "dataset", label: "Dataset", width: "minmax(140px,1fr)", cell: (e) => <span className="dim">{bare(e.dataset)} {e.split}</span> },
  { key: "mode", label: "Mode", width: "96px", cell: (e) => (e.constrained ? "constrained" : "free") },
  { key: "rows", label: "Rows", width: "64px", numeric: true, cell: (e) => <span className="num">{count(e.rows)}</span> },
  { key: "figures", label: "Figures", width: "minmax(220px,1.6fr)", cell: (e) => <span className="dim">{headline(e)}</span> },
  { key: "at", label: "Created", width: "96px", cell: (e) => <Time at={e.created_at} /> },
];

function headline(experiment: Experiment): string {
  return experiment.figures
    .filter((one) => one.unit === "share" || one.unit === "score")
    .slice(0, 4)
    .map((one) => `${one.metric} ${figure(one.value)}`)
    .join(" · ");
}

export function ExperimentList() {
  const navigate = useNavigate();
  const query = $api.useInfiniteQuery(
    "get",
    "/experiments",
    { params: { query: { limit: 100 } } },
    { pageParamName: "cursor", initialPageParam: "", getNextPageParam: (page) => page.next_cursor || undefined },
  );
  return (
    <Page title="Experiments" flush>
      <List
        label="Experiments"
        noun="experiment"
        items={query.data?.pages.flatMap((page) => page.items)}
        error={query.error}
        retry={query.refetch}
        columns={COLUMNS}
        id={(e) => e.id}
        open={(e) => void navigate({ to: `/experiments/${e.id}` })}
        hasMore={query.hasNextPage}
        loadMore={() => void query.fetchNextPage()}
        loadingMore={query.isFetchingNextPage}
        blank={
          <Blank
            icon="experiment"
            title="No experiments yet"
            text="An experiment sends the rows of a dataset to a model or a release and scores the answers, each figure with its interval."
            code={"mainspring experiment run dataset/docs model/smollm2 --prompt prompt/docs --split test"}
          />
        }
      />
    </Page>
  );
}

import { useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Run } from "../../api/types";
import { Bar, Blank, Id, Status, Time } from "../../kit/basics";
import { Choose, Filters } from "../../kit/filters";
import { duration } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { elapsed, finished, share } from "./progress";
import { subject } from "./subject";

const KINDS = ["tune.sft", "recipe.run", "profile.create", "experiment.run"];
const STATES = ["queued", "running", "succeeded", "failed", "cancelled"];

const COLUMNS: Column<Run>[] = [
  { key: "state", label: "State", width: "104px", cell: (run) => <Status state={run.state} /> },
  { key: "kind", label: "Kind", width: "140px", name: true, cell: (run) => run.kind },
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
  const [url] = useUrl();
  const navigate = useNavigate();
  const runs = $api.useInfiniteQuery(
    "get",
    "/runs",
    { params: { query: { kind: url.kind, state: url.state as Run["state"] | undefined, limit: 100 } } },
    { ...PAGES, refetchInterval: 3_000 },
  );
  return (
    <Page title="Runs" flush>
      <Filters>
        <Choose name="kind" label="Kind" any="Any kind" choices={KINDS} />
        <Choose name="state" label="State" any="Any state" choices={STATES} />
      </Filters>
      <List
        label="Runs"
        noun="run"
        {...paged(runs)}
        columns={COLUMNS}
        id={(run) => run.id}
        open={(run) => void navigate({ to: `/runs/${run.id}` })}
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

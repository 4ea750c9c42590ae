import { useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { LoadTest } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { figure } from "../../kit/format";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";

/** The unit of a load test's levels. */
export const unitOf = (test: LoadTest) => (test.levels[0]?.arrivals === "closed" ? "clients" : "requests/s");

const COLUMNS: Column<LoadTest>[] = [
  { key: "target", label: "Target", width: "minmax(160px,1fr)", cell: (test) => test.target },
  { key: "release", label: "Release", width: "minmax(140px,1fr)", cell: (test) => <span className="dim">{test.release.replace(/^release\//, "") || "–"}</span> },
  { key: "levels", label: "Levels", width: "minmax(140px,1fr)", cell: (test) => `${test.levels.map((one) => figure(one.load)).join(", ")} ${unitOf(test)}` },
  { key: "knee", label: "Knee", width: "80px", numeric: true, cell: (test) => <span className="num">{test.knee === null ? "–" : figure(test.knee)}</span> },
  { key: "sustained", label: "Sustained", width: "96px", numeric: true, cell: (test) => <span className="num">{test.sustained === null ? "–" : figure(test.sustained)}</span> },
  { key: "most", label: "Most tokens/s", width: "112px", numeric: true, cell: (test) => <span className="num">{figure(Math.max(...test.levels.map((one) => one.tokens_per_second)))}</span> },
  { key: "at", label: "Started", width: "112px", cell: (test) => <Time at={test.started_at} /> },
];

export function LoadTestList() {
  const navigate = useNavigate();
  const query = $api.useInfiniteQuery("get", "/loadtests", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <Page title="Load tests" flush>
      <List
        label="Load tests"
        noun="load test"
        {...paged(query)}
        columns={COLUMNS}
        id={(test) => test.id}
        open={(test) => void navigate({ to: `/loadtests/${test.id}` })}
        blank={
          <Blank
            icon="run"
            title="No load tests yet"
            text="A load test shows how much a deployment bears: time to the first token and to the last, throughput, and where more load buys only waiting."
            code={`mainspring loadtest run --deployment docs \\\n  --rates '[1, 2, 4, 8]' --slo ttft=500,itl=50`}
          />
        }
      />
    </Page>
  );
}

import { Link } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { PromptMetrics, ScoreMetric } from "../../api/types";
import { Blank, Card, Time } from "../../kit/basics";
import { count, duration, figure, fixed, money, percent, short } from "../../kit/format";
import { Table } from "../../kit/list";
import { Show } from "../../kit/page";
import { PAGES } from "../../kit/pages";

/** What the figures leave out: calls that people tried things out with, and those of experiments. */
const TRAFFIC = { service: "!playground,shadow", environment: "!experiment" };

/** How each version did in traffic, with the uncertainty of every score. */
export function Metrics({ name }: { name: string }) {
  const query = $api.useInfiniteQuery("get", "/prompts/{name}/metrics", { params: { path: { name }, query: { limit: 10 } } }, PAGES);
  const items = query.data?.pages.flatMap((page) => page.items);
  return (
    <Show query={{ ...query, data: items }}>
      {(versions) => {
        const scored = versions.flatMap((one) => (one.scores ?? []).map((score) => ({ version: one, score })));
        if (versions.every((one) => one.calls === 0))
          return (
            <Blank
              icon="traces"
              title="No traffic went through this prompt yet"
              text="Calls of a release with this prompt are counted here, and those that name it. The playground's are not."
              code={`curl $MAINSPRING_URL/v1/chat/completions -H "Authorization: Bearer $MAINSPRING_API_KEY" \\\n  -d '{"model": "model/base@1", "prompt": "prompt/${name}", "variables": {}}'`}
            />
          );
        return (
          <div className="stack">
            <Card title="Traffic by version" flush>
              <Table<PromptMetrics>
                label="Traffic by version"
                items={versions}
                id={(one) => one.ref}
                columns={[
                  {
                    key: "version",
                    label: "Version",
                    cell: (one) => (
                      <>
                        @{one.number}{" "}
                        {one.labels.map((label) => (
                          <span key={label} className="tag">
                            {label}
                          </span>
                        ))}
                      </>
                    ),
                  },
                  {
                    key: "calls",
                    label: "Calls",
                    numeric: true,
                    cell: (one) => (one.calls ? <Link className="link" to="/traces" search={{ prompt: one.ref, ...TRAFFIC } as never}>{count(one.calls)}</Link> : "0"),
                  },
                  { key: "errors", label: "Errors", numeric: true, cell: (one) => (one.calls ? percent(one.errors / one.calls) : "–") },
                  { key: "p50", label: "p50", numeric: true, cell: (one) => duration(one.p50_ms) },
                  { key: "p95", label: "p95", numeric: true, cell: (one) => duration(one.p95_ms) },
                  { key: "p99", label: "p99", numeric: true, cell: (one) => duration(one.p99_ms) },
                  { key: "tokens", label: "Tokens", numeric: true, cell: (one) => short(one.input_tokens + one.output_tokens) },
                  { key: "cost", label: "Cost", numeric: true, cell: (one) => money(one.cost) },
                  { key: "each", label: "A call", numeric: true, cell: (one) => (one.calls ? money(one.cost / one.calls) : "–") },
                  { key: "last", label: "Last call", cell: (one) => <Time at={one.last_at} /> },
                ]}
              />
            </Card>
            <Card title="Scores by version" flush={scored.length > 0}>
              {scored.length === 0 ? (
                <p className="faint">None of these calls was scored yet.</p>
              ) : (
                <Table
                  label="Scores by version"
                  items={scored}
                  id={({ version, score }) => `${version.ref}${score.name}`}
                  columns={[
                    { key: "score", label: "Score", cell: ({ score }) => score.name },
                    { key: "version", label: "Version", cell: ({ version }) => `@${version.number}` },
                    { key: "count", label: "Given", numeric: true, cell: ({ score }) => count(score.count) },
                    { key: "mean", label: "Mean", numeric: true, cell: ({ score }) => figure(score.mean) },
                    { key: "interval", label: "95 % interval", cell: ({ score }) => <Interval score={score} /> },
                    { key: "labels", label: "Labels", cell: ({ score }) => Object.entries(score.labels ?? {}).map(([label, n]) => `${label} ${n}`).join(", ") || <span className="faint">–</span> },
                  ]}
                />
              )}
            </Card>
            {query.hasNextPage && (
              <button type="button" className="btn" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                Older versions
              </button>
            )}
          </div>
        );
      }}
    </Show>
  );
}

function Interval({ score }: { score: ScoreMetric }) {
  if (score.low == null) return <span className="faint">{score.note || "–"}</span>;
  return (
    <span title={score.note}>
      {fixed(score.low)} to {fixed(score.high)}
    </span>
  );
}

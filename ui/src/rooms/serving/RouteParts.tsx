import { $api } from "../../api/client";
import type { Route, RouteHealth } from "../../api/types";
import { Card, KeyValues, Status } from "../../kit/basics";
import { count, duration, figure, percent, plural } from "../../kit/format";
import { Table } from "../../kit/list";
import { Show } from "../../kit/page";
import { BREAKER, POLICIES, said, shares, STICKY, TROUBLES, type Policy, type Sticky, type Trouble } from "./routing";

export function Breaker({ state }: { state: RouteHealth["state"] }) {
  const [mark, word] = BREAKER[state];
  return <Status state={mark} label={word} />;
}

/** The candidates with how each has answered lately: the breaker, the time, the failures. */
export function Candidates({ route }: { route: Route }) {
  const query = $api.useQuery("get", "/routes/{name}/health", { params: { path: { name: route.name }, query: { environment: route.environment } } }, { refetchInterval: 5_000 });
  const part = shares(route.candidates.map((one) => one.weight ?? 1));
  const weight = (target: string) => {
    const at = route.candidates.findIndex((one) => one.target === target);
    return at < 0 ? "–" : route.policy === "weighted" ? percent(part[at], 0) : figure(route.candidates[at]!.weight ?? 1);
  };
  return (
    <Card title="Candidates" flush>
      <Show query={query} lines={4}>
        {(items) => (
          <Table<RouteHealth>
            label="Candidates"
            items={items}
            id={(one) => one.candidate}
            columns={[
              { key: "state", label: "Breaker", cell: (one) => <span title={one.rests_seconds > 0 ? `for another ${duration(one.rests_seconds * 1000)}` : undefined}><Breaker state={one.state} /></span> },
              { key: "candidate", label: "Candidate", cell: (one) => <span><code>{one.candidate}</code> {route.pin === one.candidate && <span className="tag">pinned</span>}</span> },
              { key: "weight", label: route.policy === "weighted" ? "Share" : "Weight", numeric: true, cell: (one) => weight(one.candidate) },
              { key: "running", label: "Running", numeric: true, cell: (one) => count(one.running) },
              { key: "calls", label: "Calls", numeric: true, cell: (one) => count(one.calls) },
              { key: "failures", label: "Failed", numeric: true, cell: (one) => <span className={one.failures ? "failed" : undefined} title={one.last_problem || undefined}>{count(one.failures)}</span> },
              { key: "ms", label: "Answers in", numeric: true, cell: (one) => duration(one.milliseconds) },
            ]}
          />
        )}
      </Show>
    </Card>
  );
}

/** What a route is set to, besides its candidates. */
export function Terms({ route }: { route: Route }) {
  const seconds = (value: number | null | undefined) => (value == null ? "the provider's own" : duration(value * 1000));
  const breaking = route.breaking;
  return (
    <Card title="Terms">
      <KeyValues
        items={[
          ["First comes", POLICIES[route.policy as Policy]],
          ["Stays with one", STICKY[(route.sticky ?? "") as Sticky]],
          ["Pinned to", route.pin || <span className="dim">no candidate</span>],
          ["Next after", (route.fallback_on ?? []).map((one) => TROUBLES[one as Trouble]).join(", ") || "nothing"],
          ["Retries", `${plural(route.retries ?? 1, "round")}, at most ${percent(route.retry_budget ?? 0.2, 0)} of the traffic, after up to ${duration((route.backoff?.base_seconds ?? 0.2) * 1000)} doubled each time, at most ${duration((route.backoff?.most_seconds ?? 10) * 1000)}`],
          ["Connection", seconds(route.waits?.connect_seconds)],
          ["First token", seconds(route.waits?.first_token_seconds)],
          ["Between pieces", seconds(route.waits?.between_seconds)],
          ["Whole call", seconds(route.waits?.total_seconds)],
          ...(breaking ? ([["Left alone", `after ${count(breaking.failures ?? 5)} failures in a row, or ${percent(breaking.rate ?? 0.5, 0)} of ${count(breaking.least ?? 20)} calls, for ${duration((breaking.open_seconds ?? 30) * 1000)}`]] as [string, string][]) : []),
          ...(route.rules ?? []).map((rule, index): [string, string] => [`Rule ${index + 1}`, `where ${rule.when.map(said).join(" and ")}: ${rule.candidates.join(", ")}`]),
        ]}
      />
    </Card>
  );
}

import { useState } from "react";
import { $api } from "../../api/client";
import type { Canary, CanaryLook, Deployment } from "../../api/types";
import { BandChart } from "../../kit/band";
import { Blank, Card, Status, Time } from "../../kit/basics";
import { count, duration, figure, money, percent, plural } from "../../kit/format";
import { Table } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Show } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { CanaryForm } from "./RolloutForms";

const SHARES = ["error", "latency", "ttft", "cost"];
const signed = (text: string, value: number) => (value > 0 ? `+${text}` : text);

/** How a value of a canary's metric is written, and how a difference is. */
function words(metric: string) {
  const share = SHARES.includes(metric);
  return {
    difference: (value: number) => signed(share ? percent(value) : figure(value), value),
    mean: (value: number | null) => {
      if (value === null) return "–";
      if (metric === "latency" || metric === "ttft") return duration(value);
      if (metric === "cost") return money(value);
      return metric === "error" ? percent(value) : figure(value);
    },
  };
}

/** The canaries of a deployment: how the last one stands, drawn, and how those before it ended. */
export function CanaryCard({ deployment }: { deployment: Deployment }) {
  const where = { deployment: deployment.name, environment: deployment.environment };
  const known = $api.useQuery("get", "/canaries", { params: { query: { ...where, limit: 20 } } }, { refetchInterval: 5_000 });
  const items = known.data?.items;
  const who = useWho();
  const [starting, setStarting] = useState(false);
  const begin = may(who.data, "deployment.write") && (
    <button type="button" className="btn" onClick={() => setStarting(true)}>
      Start a canary
    </button>
  );
  return (
    <Card
      title={<>Canary {items?.[0] && <Status state={items[0].state} />}</>}
      label="Canary"
      actions={items?.[0]?.state === "running" ? <Stop deployment={deployment} /> : items && !deployment.canary && begin}
    >
      <Show query={known} lines={5}>
        {(page) =>
          page.items.length === 0 ? (
            <Blank
              small
              icon="deploy"
              title="No canary yet"
              text="A canary tries a release on a share of the traffic until the traffic shows that it may stay, or may not."
              code={`mainspring canary start ${deployment.name} release/…@2 score/helpful --margin 0.05`}
            />
          ) : (
            <>
              <Latest deployment={deployment} />
              {page.items.length > 1 && <Before items={page.items.slice(1)} />}
            </>
          )
        }
      </Show>
      {starting && <CanaryForm deployment={deployment} close={() => setStarting(false)} />}
    </Card>
  );
}

function Latest({ deployment }: { deployment: Deployment }) {
  const query = $api.useQuery(
    "get",
    "/deployments/{name}/canary",
    { params: { path: { name: deployment.name }, query: { environment: deployment.environment } } },
    { refetchInterval: (last) => (last.state.data?.state === "running" ? 5_000 : false) },
  );
  return <Show query={query} lines={5}>{(canary) => <Course canary={canary} />}</Show>;
}

function Course({ canary }: { canary: Canary }) {
  const { plan, now } = canary;
  const { difference, mean } = words(plan.metric);
  const allowed = plan.direction === "higher" ? -plan.margin : plan.margin;
  const drawn = [...canary.looks, now].filter((look): look is CanaryLook & { difference: number; low: number; high: number } => look.difference !== null && look.low !== null && look.high !== null);
  const marks = [{ at: 0, label: "no difference" }, ...(plan.margin ? [{ at: allowed, label: `margin ${difference(allowed)}` }] : [])];
  return (
    <div className="stack">
      <p>{canary.reason}</p>
      {drawn.length > 0 && (
        <BandChart
          label={`Difference in ${plan.metric}`}
          x="units"
          points={drawn.map((look) => ({ x: look.units, value: look.difference, low: look.low, high: look.high }))}
          marks={marks}
          format={difference}
        />
      )}
      <Table<CanaryLook["baseline"]>
        label="The two releases"
        items={[now.baseline, now.canary]}
        id={(arm) => arm.release}
        columns={[
          { key: "release", label: "Release", cell: (arm) => <RefLink value={arm.release} /> },
          { key: "units", label: "Units", numeric: true, cell: (arm) => count(arm.units) },
          { key: "mean", label: plan.metric, numeric: true, cell: (arm) => mean(arm.mean) },
          { key: "errors", label: "Errors", numeric: true, cell: (arm) => (arm.error_rate === null ? "–" : percent(arm.error_rate)) },
        ]}
      />
      <p className="dim">
        {plan.act ? "Promoted" : "Called better"} once {plan.margin ? `a loss of ${difference(plan.margin).replace("+", "")} is ruled out` : "it is shown to be better"}, rolled back once it
        is shown to be worse or to fail more often, each at {percent(plan.level, 0)} confidence over all looks. A unit is a {plan.split}. Without a verdict{" "}
        {plan.horizon_units > 0 && `after ${count(plan.horizon_units)} units`}
        {plan.horizon_units > 0 && plan.horizon_minutes > 0 && " or "}
        {plan.horizon_minutes > 0 && `after ${duration(plan.horizon_minutes * 60_000)}`} it is {plan.fallback === "keep" ? "left as it is" : "rolled back"}.
        {canary.reach !== null && canary.state === "running" && ` By then a difference of about ${difference(canary.reach).replace("+", "")} would be seen.`}
        {canary.unassigned > 0 && ` ${plural(canary.unassigned, "call")} did not say their ${plan.split}, and do not count.`}
      </p>
    </div>
  );
}

function Before({ items }: { items: Canary[] }) {
  return (
    <Table<Canary>
      label="Canaries before"
      items={items}
      id={(one) => one.id}
      columns={[
        { key: "state", label: "Before", cell: (one) => <Status state={one.state} /> },
        { key: "release", label: "Release", cell: (one) => <RefLink value={one.candidate} /> },
        { key: "metric", label: "Metric", cell: (one) => one.plan.metric },
        { key: "ended", label: "Ended", cell: (one) => <Time at={one.ended_at} /> },
        { key: "reason", label: "Why", cell: (one) => one.reason },
      ]}
    />
  );
}

function Stop({ deployment }: { deployment: Deployment }) {
  const who = useWho();
  const outcome = useOutcome();
  const stop = $api.useMutation("post", "/deployments/{name}/canary/stop", outcome("Stopped: the split stays as it is, and nothing judges it."));
  if (!may(who.data, "deployment.write")) return null;
  const body = { environment: deployment.environment, keep: true, note: "" };
  return (
    <button type="button" className="btn" disabled={stop.isPending} onClick={() => stop.mutate({ params: { path: { name: deployment.name } }, body })}>
      Stop judging
    </button>
  );
}

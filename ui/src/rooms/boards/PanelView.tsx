import { $api } from "../../api/client";
import type { Figures, FigureSeries, Panel } from "../../api/types";
import { Blank, Skeleton } from "../../kit/basics";
import { headed } from "../../kit/format";
import { caption, TimeChart } from "../../kit/time";
import { Table } from "../../kit/list";
import { StackedBars } from "../../kit/stacked";
import { change, named, shown } from "./boards";

export interface Shared {
  since: string;
  until: string;
  by?: Panel["by"];
  compare: boolean;
  where: Record<string, string>;
}

/** One panel: its measure over the time of the board, narrowed as the panel and the board say. */
export function PanelView({ panel, shared, narrow }: { panel: Panel; shared: Shared; narrow: (by: string, group: string) => void }) {
  const { since, until, compare } = shared;
  const by = panel.chart === "number" ? "" : (shared.by ?? panel.by);
  const own = Object.fromEntries(Object.entries(panel.where).filter(([, value]) => value));
  const query = $api.useQuery("get", "/boards/figures", { params: { query: { measure: panel.measure, by, since, until, compare, ...shared.where, ...own } } }, { placeholderData: (old: Figures | undefined) => old, refetchOnWindowFocus: false });
  const found = query.data;
  return (
    <div className={panel.chart === "number" ? "panel-body number" : "panel-body"}>
      {query.error ? (
        <p className="dim" role="note">{(query.error as unknown as Error).message}</p>
      ) : !found ? (
        <Skeleton lines={panel.chart === "number" ? 2 : 6} />
      ) : panel.chart === "number" ? (
        <Whole found={found} />
      ) : found.series.length === 0 ? (
        <Blank small icon="usage" title="No calls in this time" text="Take a longer time, or a filter away." />
      ) : panel.chart === "table" ? (
        <Groups found={found} by={by} narrow={narrow} />
      ) : panel.chart === "bars" && found.unit !== "share" && found.unit !== "milliseconds" && found.unit !== "score" ? (
        <Bars found={found} by={by} />
      ) : (
        <Lines found={found} by={by} compare={compare} />
      )}
      {found?.note && <p className="dim">{found.note}</p>}
    </div>
  );
}

function Whole({ found }: { found: Figures }) {
  const whole = found.series[0];
  const words = shown(found.unit);
  const sums = found.unit === "count" || found.unit === "tokens" || found.unit === "dollars";
  const value = whole?.total ?? (sums ? 0 : null);
  return (
    <p className="whole">
      <b>{value === null ? "–" : words(value)}</b> <small>{change(value, whole?.before ?? null, found.unit)}</small>
    </p>
  );
}

const moments = (found: Figures) => found.times.map((time) => Date.parse(time));

function Lines({ found, by, compare }: { found: Figures; by: string; compare: boolean }) {
  const lines = found.series.map((one) => ({ name: named(one.group, by), values: one.values }));
  const before = found.series.length === 1 && compare ? [{ name: "the time before", values: found.series[0]!.before_values, before: true, colour: 0 }] : [];
  return <TimeChart label={found.label} times={moments(found)} lines={[...lines, ...before]} format={shown(found.unit)} height={176} />;
}

function Bars({ found, by }: { found: Figures; by: string }) {
  const times = moments(found);
  const span = times.at(-1)! - times[0]!;
  return (
    <StackedBars
      label={found.label}
      bars={times.map(String)}
      layers={found.series.map((one) => ({ name: named(one.group, by), values: one.values.map((value) => value ?? 0) }))}
      format={shown(found.unit)}
      caption={(bar) => caption(Number(bar), span)}
      height={176}
    />
  );
}

function Groups({ found, by, narrow }: { found: Figures; by: string; narrow: (by: string, group: string) => void }) {
  const words = shown(found.unit);
  const compared = found.series.some((one) => one.before !== null);
  return (
    <Table<FigureSeries>
      label={found.label}
      items={found.series}
      id={(one) => one.group ?? "\0"}
      columns={[
        {
          key: "group",
          label: headed(by || "calls"),
          cell: (one) =>
            by && one.group ? (
              <button type="button" className="link-like" title={`Only this ${by}`} onClick={() => narrow(by, one.group!)}>
                {one.group}
              </button>
            ) : (
              <span className="dim">{named(one.group, by)}</span>
            ),
        },
        { key: "total", label: found.label, numeric: true, cell: (one) => (one.total === null ? "–" : words(one.total)) },
        ...(compared ? [{ key: "change", label: "On the time before", numeric: true, cell: (one: FigureSeries) => change(one.total, one.before, found.unit) || "–" }] : []),
      ]}
    />
  );
}

import type { ReactNode } from "react";
import type { MetricComparison } from "../../api/types";
import { Status } from "../../kit/basics";
import { IntervalMark } from "../../kit/chart";
import { count, figure } from "../../kit/format";
import { amount, byMetric, change, verdict } from "./figures";

/** A metric to a group of lines, a candidate to a line; the intervals of a metric share their scale, with better to the right. */
export function Versus(props: { comparisons: readonly (readonly MetricComparison[])[]; names: string[]; rows?: (metric: string) => void }) {
  const several = props.comparisons.length > 1;
  return (
    <div className="table-wrap" tabIndex={0} role="group" aria-label={props.rows ? "Differences by metric" : "Differences by people"}>
      <table className="table versus">
        <thead>
          <tr>
            <th scope="col">Metric</th>
            {several && <th scope="col">Candidate</th>}
            <th scope="col" className="num">{several ? "Baseline" : props.names[0]}</th>
            <th scope="col" className="num">{several ? "Candidate" : props.names[1]}</th>
            <th scope="col" className="num">Difference</th>
            <th scope="col">Interval (better to the right)</th>
            <th scope="col" className="num">Rows</th>
            <th scope="col" className="num">p</th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        {byMetric(props.comparisons).map(({ metric, lines }) => (
          <tbody key={metric}>
            {lines.map((one, index) => (
              <tr key={index}>
                {index === 0 && (
                  <th scope="rowgroup" rowSpan={lines.length}>
                    {props.rows ? (
                      <button type="button" className="link" title="Rows that differ in it" onClick={() => props.rows?.(metric)}>
                        {metric}
                      </button>
                    ) : (
                      metric
                    )}
                  </th>
                )}
                {several && <td>{props.names[index + 1]}</td>}
                {one ? <Cells one={one} reach={reach(lines)} /> : <Missing name={props.names[index + 1]!} />}
              </tr>
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function Missing({ name }: { name: string }) {
  return (
    <td colSpan={7} className="faint">
      not measured in {name}
    </td>
  );
}

function Cells({ one, reach }: { one: MetricComparison; reach: number }) {
  return (
    <>
      <td className="num">{amount(one.baseline, one.unit)}</td>
      <td className="num">
        <b>{amount(one.candidate, one.unit)}</b>
      </td>
      <td className="num">{change(one.difference, one.unit)}</td>
      <td>
        <Forest metric={one} reach={reach} />
      </td>
      <td className="num">{count(one.n)}</td>
      <td className="num">
        <span title={one.test}>{one.p_adjusted < 0.001 ? "< 0.001" : figure(one.p_adjusted)}</span>
      </td>
      <td>
        <Verdict metric={one} />
      </td>
    </>
  );
}

export function Verdict({ metric }: { metric: MetricComparison }): ReactNode {
  return (
    <span title={metric.sentence}>
      <Status state={metric.verdict === "better" || metric.verdict === "worse" ? metric.verdict : "unset"} label={verdict(metric)} />
    </span>
  );
}

function reach(lines: readonly (MetricComparison | undefined)[]): number {
  const ends = lines.flatMap((one) => (one?.low == null || one.high == null ? [] : [Math.abs(one.low), Math.abs(one.high)]));
  return Math.max(0, ...ends) * 1.1 || 1;
}

/** The interval around zero, "better" always to the right; in figures as it was measured. */
export function Forest({ metric, reach: given }: { metric: MetricComparison; reach?: number }) {
  if (metric.low == null || metric.high == null) return <span className="faint">{metric.method}</span>;
  const turn = metric.higher_is_better ? 1 : -1;
  const [low, high] = [turn * metric.low, turn * metric.high].sort((a, b) => a - b) as [number, number];
  const most = given ?? reach([metric]);
  return (
    <span className="row" title={metric.method}>
      <IntervalMark value={turn * metric.difference} low={low} high={high} min={-most} max={most} />
      <span className="num faint nowrap">
        {change(metric.low, metric.unit)} to {change(metric.high, metric.unit)}
      </span>
    </span>
  );
}

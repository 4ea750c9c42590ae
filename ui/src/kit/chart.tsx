import { useId, useState, type PointerEvent } from "react";
import { useElementSize } from "@mantine/hooks";
import { Levels, Places } from "./axes";
import { figure, NONE, percent } from "./format";
import { nearest, scale, ticks, type Point } from "./scale";

export interface Series {
  name: string;
  points: Point[];
  /** Its colour among the eight, where it is not its place among the lines. */
  tone?: number;
  /** Of something that is held against, in a broken line. */
  before?: boolean;
}

const toneOf = (series: Series, index: number) => `var(--s${series.tone ?? (index % 8) + 1})`;

const PAD = { top: 8, right: 12, bottom: 24, left: 48 };

/** Lines over one axis, drawn as SVG with the page's own colours; the nearest point is read out on hover. */
export function LineChart(props: { series: Series[]; label: string; height?: number; x?: string; zero?: boolean; format?: (value: number) => string }) {
  const { ref, width } = useElementSize();
  const [at, setAt] = useState<number | null>(null);
  const { height = 220, format = figure } = props;
  const points = props.series.flatMap((series) => series.points);
  const inner = { width: Math.max(0, width - PAD.left - PAD.right), height: height - PAD.top - PAD.bottom };
  const x = scale(points.map((p) => p[0]), 0, inner.width);
  const y = scale([...points.map((p) => p[1]), ...(props.zero ? [0] : [])], inner.height, 0, 0.06);
  const move = (event: PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    setAt(x.invert(event.clientX - box.left - PAD.left));
  };
  const read = at === null ? [] : props.series.map((series) => nearest(series.points, at));
  const place = read.find((p) => p !== undefined);
  const end = (point: Point | undefined) => (point ? format(point[1]) : NONE);
  const summary = props.series.map((s) => `${s.name}: ${end(s.points[0])} at first, ${end(s.points.at(-1))} at last`).join("; ");
  return (
    <figure ref={ref} className="chart">
      <Legend series={props.series} values={read.map((p) => p && format(p[1]))} at={place && `${props.x ?? "step"} ${figure(place[0])}`} />
      {width > 0 && points.length > 0 && (
        <svg width={width} height={height} role="img" aria-label={`${props.label}. ${summary}`} onPointerMove={move} onPointerLeave={() => setAt(null)}>
          <g transform={`translate(${PAD.left},${PAD.top})`}>
            <Levels values={ticks(y.min, y.max, 4)} at={y.at} width={inner.width} format={format} />
            <Places values={ticks(x.min, x.max, 6)} at={x.at} height={inner.height} digits={4} />
            {props.series.map((series, index) => (
              <polyline
                key={series.name}
                points={series.points.map((p) => `${x.at(p[0]).toFixed(1)},${y.at(p[1]).toFixed(1)}`).join(" ")}
                className={series.before ? "chart-line before" : "chart-line"}
                style={{ stroke: toneOf(series, index) }}
              />
            ))}
            {props.series.map(
              (series, index) =>
                series.points.length === 1 && <circle key={series.name} cx={x.at(series.points[0]![0])} cy={y.at(series.points[0]![1])} r={3} style={{ fill: toneOf(series, index) }} />,
            )}
            {read.map((p, index) => p && <circle key={index} cx={x.at(p[0])} cy={y.at(p[1])} r={3.5} style={{ fill: toneOf(props.series[index]!, index) }} />)}
          </g>
        </svg>
      )}
    </figure>
  );
}

function Legend({ series, values, at }: { series: Series[]; values: (string | undefined)[]; at?: string }) {
  return (
    <figcaption className="legend">
      {series.map((one, index) => (
        <span key={one.name}>
          <i className={one.before ? "hollow" : undefined} style={{ background: toneOf(one, index) }} />
          {one.name} {values[index] && <b>{values[index]}</b>}
        </span>
      ))}
      {at && <span className="faint">{at}</span>}
    </figcaption>
  );
}

export interface Bin {
  label: string;
  value: number;
}

/** Counts by bin, upright; for lengths and latencies. */
export function Histogram({ bins, label, height = 140 }: { bins: Bin[]; label: string; height?: number }) {
  const { ref, width } = useElementSize();
  const [at, setAt] = useState<number | null>(null);
  const top = Math.max(1, ...bins.map((bin) => bin.value));
  const inner = height - 24;
  const step = bins.length ? width / bins.length : 0;
  const every = Math.max(1, Math.ceil(bins.length / Math.max(1, Math.floor(width / 56))));
  const shown = at === null ? undefined : bins[at];
  return (
    <figure ref={ref} className="chart">
      <figcaption className="legend">
        <span className="faint">{shown ? `${shown.label}: ${figure(shown.value, 6)}` : label}</span>
      </figcaption>
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-label={`${label}: ${bins.map((bin) => `${bin.label} ${bin.value}`).join(", ")}`}>
          {bins.map((bin, index) => {
            const size = (bin.value / top) * (inner - 4);
            return (
              <g key={bin.label} onPointerEnter={() => setAt(index)} onPointerLeave={() => setAt(null)}>
                <rect x={index * step} width={step} height={inner} fill="transparent" />
                <rect
                  x={index * step + 1}
                  y={inner - size}
                  width={Math.max(1, step - 2)}
                  height={size}
                  rx={Math.min(2, step / 4)}
                  className={index === at ? "chart-bar on" : "chart-bar"}
                />
                {index % every === 0 && <text x={index * step + 1} y={height - 6}>{bin.label}</text>}
              </g>
            );
          })}
          <line y1={inner} y2={inner} x2={width} className="chart-grid" />
        </svg>
      )}
    </figure>
  );
}

/** Shares of a whole, lying, with their words: readable without the colours. */
export function Shares({ items, label, total }: { items: Bin[]; label: string; total?: number }) {
  const sum = total ?? items.reduce((all, item) => all + item.value, 0);
  const top = Math.max(1, ...items.map((item) => item.value));
  if (items.length === 0) return <p className="faint">none</p>;
  return (
    <ul className="shares" aria-label={label}>
      {items.map((item) => (
        <li key={item.label}>
          <span className="cut" title={item.label}>{item.label || "(none)"}</span>
          <span className="track">
            <i style={{ width: `${(item.value / top) * 100}%` }} />
          </span>
          <span className="num">{figure(item.value, 6)}</span>
          <span className="num faint">{sum ? percent(item.value / sum) : ""}</span>
        </li>
      ))}
    </ul>
  );
}

export interface Interval {
  low: number;
  high: number;
  value: number;
}

/** A value within its interval against zero (or another mark, or null for none), on a scale shared by the rows of a table. */
export function IntervalMark({ value, low, high, min, max, mark = 0 }: Interval & { min: number; max: number; mark?: number | null }) {
  const id = useId();
  const width = 180;
  const at = (v: number) => 6 + ((v - min) / (max - min || 1)) * (width - 12);
  const tone = mark === null ? "var(--accent)" : low > mark ? "var(--ok)" : high < mark ? "var(--error)" : "var(--text-3)";
  return (
    <svg className="interval" width={width} height={20} viewBox={`0 0 ${width} 20`} role="img" aria-labelledby={id}>
      <title id={id}>{`${figure(value)}, interval from ${figure(low)} to ${figure(high)}`}</title>
      {mark !== null && mark >= min && mark <= max && <line x1={at(mark)} x2={at(mark)} y1={1} y2={19} className="chart-zero" />}
      <line x1={at(low)} x2={at(high)} y1={10} y2={10} stroke={tone} strokeWidth={2} strokeLinecap="round" />
      <circle cx={at(value)} cy={10} r={4} fill={tone} />
    </svg>
  );
}

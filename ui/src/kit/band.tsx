import { useState, type PointerEvent } from "react";
import { useElementSize } from "@mantine/hooks";
import { Levels, Places } from "./axes";
import { figure } from "./format";
import { nearest, scale, ticks } from "./scale";

export interface BandPoint {
  x: number;
  value: number;
  low: number;
  high: number;
}

const PAD = { top: 8, right: 12, bottom: 24, left: 56 };

/** A value within its interval as rows arrive, against levels that matter; what is under the pointer is read out. */
export function BandChart(props: {
  points: BandPoint[];
  label: string;
  x: string;
  marks: { at: number; label: string }[];
  format?: (value: number) => string;
  height?: number;
}) {
  const { ref, width } = useElementSize();
  const [at, setAt] = useState<number | null>(null);
  const { points, marks, height = 220, format = figure } = props;
  const inner = { width: Math.max(0, width - PAD.left - PAD.right), height: height - PAD.top - PAD.bottom };
  const x = scale(points.map((p) => p.x), 0, inner.width);
  const last = points.at(-1);
  // The first looks know next to nothing: what fits the later ones is shown, and they are cut off.
  const settled = points.slice(Math.floor(points.length / 3));
  const y = scale([...settled.flatMap((p) => [p.low, p.high]), ...points.map((p) => p.value), ...marks.map((m) => m.at)], inner.height, 0, 0.06);
  const place = (value: number) => Math.min(inner.height, Math.max(0, y.at(value)));
  const found = at === null ? undefined : nearest(points.map((p, index) => [p.x, index] as const), at);
  const read = found ? points[found[1]] : undefined;
  const area = [...points.map((p) => [p.x, p.high] as const), ...points.toReversed().map((p) => [p.x, p.low] as const)];
  const path = (line: (readonly [number, number])[]) => line.map(([a, b]) => `${x.at(a).toFixed(1)},${place(b).toFixed(1)}`).join(" ");
  const said = (p: BandPoint | undefined) => (p ? `${format(p.value)}, between ${format(p.low)} and ${format(p.high)}` : "nothing yet");
  return (
    <figure ref={ref} className="chart">
      <figcaption className="legend">
        <span>
          <i style={{ background: "var(--s1)" }} />
          {props.label} <b>{said(read ?? last)}</b>
        </span>
        {read && <span className="faint">{`${props.x} ${figure(read.x, 6)}`}</span>}
      </figcaption>
      {width > 0 && points.length > 0 && (
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={`${props.label}: ${said(last)} after ${figure(last?.x, 6)} ${props.x}`}
          onPointerMove={(event: PointerEvent<SVGSVGElement>) => setAt(x.invert(event.clientX - event.currentTarget.getBoundingClientRect().left - PAD.left))}
          onPointerLeave={() => setAt(null)}
        >
          <g transform={`translate(${PAD.left},${PAD.top})`}>
            <Levels values={ticks(y.min, y.max, 4)} at={y.at} width={inner.width} format={format} />
            <Places values={ticks(x.min, x.max, 6)} at={x.at} height={inner.height} digits={5} />
            <polygon points={path(area)} className="chart-band" />
            <polyline points={path(points.map((p) => [p.x, p.value]))} className="chart-line" style={{ stroke: "var(--s1)" }} />
            {marks.map((mark) => (
              <g key={mark.label} transform={`translate(0,${place(mark.at)})`}>
                <line x2={inner.width} className="chart-zero" />
                <text x={inner.width} dy={marks.some((other) => other.at > mark.at) ? 14 : -4} textAnchor="end">{mark.label}</text>
              </g>
            ))}
            {read && <circle cx={x.at(read.x)} cy={place(read.value)} r={3.5} style={{ fill: "var(--s1)" }} />}
          </g>
        </svg>
      )}
    </figure>
  );
}

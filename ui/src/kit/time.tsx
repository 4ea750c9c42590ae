import { useElementSize } from "@mantine/hooks";
import { useState, type PointerEvent } from "react";
import { Levels } from "./axes";
import { figure, stamp } from "./format";
import { scale, ticks } from "./scale";

export interface TimeLine {
  name: string;
  /** One for each time; null where there is nothing to say, which leaves a gap. */
  values: (number | null)[];
  /** What it is held against is drawn thinner and broken. */
  before?: boolean;
  /** The colour of its fellow, for a line of the time before. */
  colour?: number;
}

export interface Strip {
  states: string[];
  /** The tone of a state: a colour of the page. */
  tone: (state: string) => string;
}

const PAD = { top: 8, right: 12, bottom: 24, left: 56 };
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** Moments in milliseconds as one writes them on an axis: days where it spans many, the time of day where it does not. */
export function caption(at: number, span: number): string {
  return (span > 2.5 * 86_400_000 ? day : clock).format(at);
}

/** Pieces of a line without its gaps. */
export function pieces(times: number[], values: (number | null)[]): [number, number][][] {
  const found: [number, number][][] = [];
  let open: [number, number][] = [];
  times.forEach((at, index) => {
    const value = values[index];
    if (value == null) {
      if (open.length) found.push(open);
      open = [];
    } else open.push([at, value]);
  });
  return open.length ? [...found, open] : found;
}

/** Lines over time, with levels that matter and a strip of states below; what is nearest to the pointer is read out. */
export function TimeChart(props: {
  times: number[];
  lines: TimeLine[];
  label: string;
  format?: (value: number) => string;
  marks?: { at: number; label: string }[];
  strip?: Strip;
  height?: number;
}) {
  const { ref, width } = useElementSize();
  const [at, setAt] = useState<number | null>(null);
  const { times, lines, marks = [], format = figure, height = 180, strip } = props;
  const inner = { width: Math.max(0, width - PAD.left - PAD.right), height: height - PAD.top - PAD.bottom - (strip ? 14 : 0) };
  const known = lines.flatMap((line) => line.values.filter((value): value is number => value != null));
  const x = scale(times, 0, inner.width);
  const y = scale([...known, ...marks.map((mark) => mark.at), 0], inner.height, 0, 0.04);
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const step = times.length > 1 ? span / (times.length - 1) : 0;
  const shown = Math.max(2, Math.min(8, Math.floor(inner.width / 90)));
  const every = Math.max(1, Math.ceil(times.length / shown));
  const move = (event: PointerEvent<SVGSVGElement>) => {
    const wanted = x.invert(event.clientX - event.currentTarget.getBoundingClientRect().left - PAD.left);
    setAt(Math.max(0, Math.min(times.length - 1, step ? Math.round((wanted - times[0]!) / step) : 0)));
  };
  const colour = (line: TimeLine, index: number) => `var(--s${((line.colour ?? index) % 8) + 1})`;
  const last = (line: TimeLine) => line.values.findLast((value) => value != null);
  const read = (line: TimeLine) => (at === null ? last(line) : line.values[at]);
  const summary = lines.map((line) => `${line.name}: ${last(line) == null ? "nothing" : format(last(line)!)} at last`).join("; ");
  return (
    <figure ref={ref} className="chart">
      <figcaption className="legend">
        {lines.map((line, index) => (
          <span key={line.name} className={line.before ? "faint" : undefined}>
            <i className={line.before ? "hollow" : undefined} style={{ background: colour(line, index) }} />
            {line.name} <b>{read(line) == null ? "–" : format(read(line)!)}</b>
          </span>
        ))}
        {at !== null && <span className="faint">{strip ? `${strip.states[at]}, ` : ""}{stamp(new Date(times[at]!))}</span>}
      </figcaption>
      {width > 0 && times.length > 0 && (
        <svg width={width} height={height} role="img" aria-label={`${props.label}. ${summary}`} onPointerMove={move} onPointerLeave={() => setAt(null)}>
          <g transform={`translate(${PAD.left},${PAD.top})`}>
            <Levels values={ticks(y.min, y.max, 4)} at={y.at} width={inner.width} format={format} />
            {times.map((time, index) => index % every === 0 && (
              <text key={time} x={x.at(time)} y={height - PAD.top - 6} textAnchor={index === 0 ? "start" : "middle"}>{caption(time, span)}</text>
            ))}
            {marks.map((mark) => (
              <g key={mark.label} transform={`translate(0,${y.at(mark.at)})`}>
                <line x2={inner.width} className="chart-zero" />
                <text x={inner.width} dy={-4} textAnchor="end">{mark.label}</text>
              </g>
            ))}
            {lines.map((line, index) =>
              pieces(times, line.values).map((piece) =>
                piece.length > 1 ? (
                  <polyline
                    key={`${line.name}${piece[0]![0]}`}
                    points={piece.map((point) => `${x.at(point[0]).toFixed(1)},${y.at(point[1]).toFixed(1)}`).join(" ")}
                    className={line.before ? "chart-line before" : "chart-line"}
                    style={{ stroke: colour(line, index) }}
                  />
                ) : (
                  <circle key={`${line.name}${piece[0]![0]}`} cx={x.at(piece[0]![0])} cy={y.at(piece[0]![1])} r={2.5} style={{ fill: colour(line, index) }} />
                ),
              ),
            )}
            {strip && strip.states.map((state, index) => (
              <rect key={times[index]} x={Math.max(0, x.at(times[index]!) - inner.width / times.length / 2)} y={inner.height + 4} width={Math.max(1, inner.width / times.length - 0.5)} height={8} style={{ fill: strip.tone(state) }} />
            ))}
            {at !== null && <line x1={x.at(times[at]!)} x2={x.at(times[at]!)} y2={inner.height} className="chart-zero" />}
          </g>
        </svg>
      )}
    </figure>
  );
}

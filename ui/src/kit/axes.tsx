import { figure } from "./format";

/** Lines across a drawing at some values, each with what it stands for. */
export function Levels({ values, at, width, format }: { values: number[]; at: (value: number) => number; width: number; format: (value: number) => string }) {
  return values.map((value) => (
    <g key={value} transform={`translate(0,${at(value)})`}>
      <line x2={width} className="chart-grid" />
      <text x={-8} dy="4" textAnchor="end">{format(value)}</text>
    </g>
  ));
}

/** Figures below a drawing, in their places. */
export function Places({ values, at, height, digits }: { values: number[]; at: (value: number) => number; height: number; digits: number }) {
  return values.map((value) => (
    <text key={value} x={at(value)} y={height + 18} textAnchor="middle">{figure(value, digits)}</text>
  ));
}

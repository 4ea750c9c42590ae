import { useElementSize } from "@mantine/hooks";
import { useState } from "react";
import { Levels } from "./axes";
import { useKeys } from "./list";
import { ticks } from "./scale";

export interface Layer {
  name: string;
  /** One for each bar. */
  values: number[];
}

const PAD = { top: 8, right: 4, bottom: 22, left: 60 };

/** Bars over time, each of layers that sum; what is under the pointer, or under the arrow keys, is read out. */
export function StackedBars(props: { bars: string[]; layers: Layer[]; label: string; format: (value: number) => string; caption: (bar: string) => string; height?: number }) {
  const { ref, width } = useElementSize();
  const [at, setAt] = useState<number | null>(null);
  const { bars, layers, format, height = 200 } = props;
  const inner = { width: Math.max(0, width - PAD.left - PAD.right), height: height - PAD.top - PAD.bottom };
  const totals = bars.map((_, index) => layers.reduce((sum, layer) => sum + (layer.values[index] ?? 0), 0));
  const top = Math.max(...totals, 0) || 1;
  const y = (value: number) => inner.height * (1 - value / (top * 1.05));
  const step = bars.length ? inner.width / bars.length : 0;
  const gap = step > 6 ? Math.min(4, step * 0.2) : 0;
  const every = Math.max(1, Math.ceil(bars.length / Math.max(1, Math.floor(inner.width / 72))));
  const move = (by: number) => setAt((now) => Math.max(0, Math.min(bars.length - 1, now === null ? bars.length - 1 : now + by)));
  useKeys({ "[": () => move(-1), "]": () => move(1) });
  const whole = totals.reduce((sum, value) => sum + value, 0);
  const read = (layer: Layer) => (at === null ? layer.values.reduce((sum, value) => sum + value, 0) : (layer.values[at] ?? 0));
  const summary = layers.map((layer) => `${layer.name} ${format(layer.values.reduce((sum, value) => sum + value, 0))}`).join(", ");
  return (
    <figure ref={ref} className="chart stacked">
      <figcaption className="legend" aria-live="polite">
        <span>
          {at === null ? "in all" : props.caption(bars[at] ?? "")} <b>{format(at === null ? whole : (totals[at] ?? 0))}</b>
        </span>
        {layers.map((layer, index) => (
          <span key={layer.name}>
            <i style={{ background: `var(--s${(index % 8) + 1})` }} />
            {layer.name} <b>{format(read(layer))}</b>
          </span>
        ))}
      </figcaption>
      <div style={{ height }}>
        {width > 0 && (
          <svg
            width={width}
            height={height}
            role="img"
            aria-label={`${props.label}: ${summary}`}
            onPointerMove={(event) => {
              const x = event.clientX - event.currentTarget.getBoundingClientRect().left - PAD.left;
              setAt(x < 0 || x >= inner.width ? null : Math.floor(x / step));
            }}
            onPointerLeave={() => setAt(null)}
          >
            <g transform={`translate(${PAD.left},${PAD.top})`}>
              <Levels values={ticks(0, top, 4)} at={y} width={inner.width} format={format} />
              {bars.map((bar, index) => {
                let below = 0;
                return (
                  <g key={bar} transform={`translate(${index * step},0)`} opacity={at === null || at === index ? 1 : 0.45}>
                    {layers.map((layer, which) => {
                      const value = layer.values[index] ?? 0;
                      const from = below;
                      below += value;
                      return value > 0 && (
                        <rect key={layer.name} x={gap / 2} width={Math.max(1, step - gap)} y={y(below)} height={Math.max(0.5, y(from) - y(below))} style={{ fill: `var(--s${(which % 8) + 1})` }} />
                      );
                    })}
                    {index % every === 0 && <text x={0} y={inner.height + 16}>{props.caption(bar)}</text>}
                  </g>
                );
              })}
              <line y1={inner.height} y2={inner.height} x2={inner.width} className="chart-grid" />
            </g>
          </svg>
        )}
      </div>
    </figure>
  );
}

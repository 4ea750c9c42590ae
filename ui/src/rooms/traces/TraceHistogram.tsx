import { useElementSize } from "@mantine/hooks";
import { useState } from "react";
import { $api } from "../../api/client";
import { count, stamp } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import type { Query } from "./filter";

const HEIGHT = 48;
const BINS = 60;

/** How many traces began when, and how many of them failed; a stretch that is drawn with the pointer narrows the list to it. */
export function TraceHistogram({ filter, live }: { filter: Query; live: boolean }) {
  const [, setUrl] = useUrl();
  const { ref, width } = useElementSize();
  const [at, setAt] = useState<number | null>(null);
  const [from, setFrom] = useState<number | null>(null);
  const [fallback] = useState(() => new Date(Math.floor((Date.now() - 604_800_000) / 60_000) * 60_000).toISOString());
  const asked = { since: fallback, ...filter, bins: BINS };
  const query = $api.useQuery("get", "/traces/histogram", { params: { query: asked as never } }, { refetchInterval: live ? 10_000 : false, placeholderData: (old) => old, retry: false });
  const found = query.data;
  if (query.error) return null;
  const bins = found?.bins ?? [];
  const top = Math.max(1, ...bins.map((bin) => bin.traces ?? 0));
  const step = bins.length ? width / bins.length : 0;
  const place = (x: number) => Math.max(0, Math.min(bins.length - 1, Math.floor(x / step)));
  const [total, errors] = bins.reduce(([traces, failed], bin) => [traces + (bin.traces ?? 0), failed + (bin.errors ?? 0)], [0, 0]);
  const whole = found && new Date(found.until).getTime() - new Date(found.since).getTime();
  const edge = (index: number) => new Date(new Date(found!.since).getTime() + (whole! / bins.length) * index);
  const read = at === null ? undefined : bins[at];
  const chosen = from !== null && at !== null ? [Math.min(from, at), Math.max(from, at)] : null;
  return (
    <figure className="timeline" aria-busy={query.isFetching}>
      <figcaption>
        <span>
          {read && found
            ? `${stamp(edge(at!))}: ${read.traces === null ? "not counted" : `${count(read.traces)} traces, ${count(read.errors)} failed`}`
            : found && `${count(total)} traces, ${count(errors)} failed, since ${stamp(new Date(found.since))}${found.complete ? "" : "; not all were counted"}`}
        </span>
        <span className="faint">{bins.length > 0 && "draw over a stretch of time to narrow to it"}</span>
      </figcaption>
      <div ref={ref} style={{ height: HEIGHT }}>
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={`Traces over time: ${count(total)}, of which ${count(errors)} failed`}
          onPointerMove={(event) => setAt(place(event.clientX - event.currentTarget.getBoundingClientRect().left))}
          onPointerLeave={() => from === null && setAt(null)}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            setFrom(place(event.clientX - event.currentTarget.getBoundingClientRect().left));
          }}
          onPointerUp={() => {
            if (chosen && found) setUrl({ from: edge(chosen[0]!).toISOString(), to: edge(chosen[1]! + 1).toISOString(), since: undefined, peek: undefined }, true);
            setFrom(null);
          }}
        >
          {bins.map((bin, index) => {
            const size = ((bin.traces ?? 0) / top) * (HEIGHT - 4);
            const failed = ((bin.errors ?? 0) / top) * (HEIGHT - 4);
            const shape = { x: index * step + 0.5, width: Math.max(1, step - 1) };
            return (
              <g key={bin.start} opacity={bin.traces === null ? 0.4 : 1}>
                {bin.traces === null && <rect {...shape} y={HEIGHT - 6} height={4} fill="var(--border)" />}
                {size > 0 && <rect {...shape} y={HEIGHT - Math.max(2, size)} height={Math.max(2, size)} className={index === at ? "chart-bar on" : "chart-bar"} />}
                {failed > 0 && <rect {...shape} y={HEIGHT - Math.max(2, failed)} height={Math.max(2, failed)} fill="var(--error)" />}
              </g>
            );
          })}
          {chosen && <rect x={chosen[0]! * step} width={(chosen[1]! - chosen[0]! + 1) * step} height={HEIGHT} fill="var(--accent)" opacity={0.16} />}
          <line y1={HEIGHT} y2={HEIGHT} x2={width} className="chart-grid" />
        </svg>
      </div>
    </figure>
  );
}

import { Tooltip } from "@mantine/core";
import { useEffect, useState, type ReactNode } from "react";
import { ago, stamp } from "./format";
import { Icon, type IconName } from "./icons";

export type Tone = "ok" | "warn" | "error" | "info" | "none";

const STATES: Record<string, [Tone, IconName]> = {
  ok: ["ok", "check"],
  succeeded: ["ok", "check"],
  passed: ["ok", "check"],
  approved: ["ok", "check"],
  active: ["ok", "check"],
  live: ["ok", "check"],
  ready: ["ok", "check"],
  sealed: ["ok", "key"],
  draining: ["info", "spin"],
  verified: ["ok", "check"],
  resolved: ["ok", "check"],
  better: ["ok", "up"],
  running: ["info", "spin"],
  unfinished: ["warn", "alert"],
  cancelling: ["info", "spin"],
  starting: ["info", "spin"],
  in_review: ["info", "clock"],
  canary: ["info", "dot"],
  started: ["info", "spin"],
  due: ["warn", "clock"],
  done: ["ok", "check"],
  dismissed: ["none", "cross"],
  acknowledged: ["info", "check"],
  queued: ["none", "clock"],
  draft: ["none", "dot"],
  unset: ["none", "dot"],
  waived: ["warn", "dot"],
  warn: ["warn", "warn"],
  warning: ["warn", "warn"],
  paused: ["warn", "pause"],
  promoted: ["ok", "check"],
  rolled_back: ["error", "cross"],
  denied: ["warn", "warn"],
  mask: ["warn", "guard"],
  log: ["info", "guard"],
  error: ["error", "cross"],
  failed: ["error", "cross"],
  rejected: ["error", "cross"],
  block: ["error", "guard"],
  blocked: ["error", "guard"],
  critical: ["error", "warn"],
  open: ["error", "alert"],
  firing: ["error", "alert"],
  worse: ["error", "down"],
  withdrawn: ["none", "cross"],
  cancelled: ["none", "cross"],
  expired: ["none", "clock"],
  closed: ["ok", "check"],
  "half-open": ["warn", "clock"],
  broken: ["error", "cross"],
  revoked: ["none", "cross"],
};

/** A state as icon, word and colour, so that none of the three is needed alone. */
export function Status({ state, label }: { state: string; label?: string }) {
  const [tone, icon] = STATES[state] ?? (["none", "dot"] as const);
  return (
    <span className={`status ${tone}`}>
      <Icon name={icon} size={12} className={icon === "spin" ? "spin" : undefined} />
      {label ?? state.replaceAll("_", " ")}
    </span>
  );
}

let minute = Date.now();
const listeners = new Set<() => void>();
setInterval(() => {
  minute = Date.now();
  for (const listener of listeners) listener();
}, 15_000);

/** How long ago something was, kept current; the full time on hover. */
export function Time({ at }: { at: string | number | Date | null | undefined }) {
  const [, tick] = useState(minute);
  useEffect(() => {
    const listener = () => tick(minute);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  if (at == null || at === "") return <span className="faint">–</span>;
  const date = at instanceof Date ? at : new Date(at);
  return (
    <time dateTime={date.toISOString()} title={stamp(date)}>
      {ago(date, new Date())}
    </time>
  );
}

/** An identifier in mono, cut to what tells it apart, with a button that copies the whole. */
export function Id({ value, length = 8, full = false }: { value: string; length?: number; full?: boolean }) {
  return (
    <span className="id" title={value}>
      <span className="cut">{full || value.length <= length ? value : `${value.slice(0, length)}…`}</span>
      <Copy value={value} what={`Copy ${value.slice(0, 24)}`} />
    </span>
  );
}

export function Copy({ value, what }: { value: string; what: string }) {
  const [done, setDone] = useState(false);
  return (
    <button
      type="button"
      aria-label={what}
      onClick={(event) => {
        event.preventDefault();
        event.stopPropagation();
        void copyText(value).then(() => {
          setDone(true);
          setTimeout(() => setDone(false), 1200);
        });
      }}
    >
      <Icon name={done ? "check" : "copy"} size={12} />
    </button>
  );
}

/** Copy by the clipboard interface, which browsers offer to secure origins alone; elsewhere by a selection. */
export async function copyText(value: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(value);
  const area = document.createElement("textarea");
  area.value = value;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export function Tip({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <Tooltip label={label} openDelay={300} withArrow={false} classNames={{ tooltip: "tip" }}>
      {children as never}
    </Tooltip>
  );
}

export function Snippet({ code, label = "Copy the snippet" }: { code: string; label?: string }) {
  const [done, setDone] = useState(false);
  return (
    <div className="snippet">
      <pre className="code" tabIndex={0}>
        {code}
      </pre>
      <button
        type="button"
        className="btn icon quiet"
        aria-label={label}
        onClick={() => void copyText(code).then(() => setDone(true))}
      >
        <Icon name={done ? "check" : "copy"} size={14} />
      </button>
    </div>
  );
}

/** What a page shows where there is nothing yet: what belongs here, and the lines that put it there. `narrowed` is what it is called where a filter left nothing. */
export function Blank(props: { icon: IconName; title: string; text?: ReactNode; code?: string; actions?: ReactNode; small?: boolean; narrowed?: string | false }) {
  if (props.narrowed) return <Blank icon="filter" title={props.narrowed} text="Take a filter away." small={props.small} />;
  return (
    <div className={props.small ? "blank small" : "blank"}>
      <Icon name={props.icon} size={props.small ? 20 : 28} />
      <h2>{props.title}</h2>
      {props.text && <p>{props.text}</p>}
      {props.code && <Snippet code={props.code} />}
      {props.actions && <div className="row">{props.actions}</div>}
    </div>
  );
}

export function Skeleton({ lines = 6 }: { lines?: number }) {
  return (
    <div className="stack" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} className="skeleton" style={{ width: `${92 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

export function Card(props: { title: ReactNode; actions?: ReactNode; children: ReactNode; flush?: boolean; label?: string }) {
  return (
    <section className="card" aria-label={props.label ?? (typeof props.title === "string" ? props.title : undefined)}>
      <header>
        <h2>{props.title}</h2>
        {props.actions && <div className="page-actions">{props.actions}</div>}
      </header>
      {props.flush ? props.children : <div className="inner">{props.children}</div>}
    </section>
  );
}

export function Stats({ items }: { items: { label: string; value: ReactNode; note?: ReactNode }[] }) {
  return (
    <dl className="stats">
      {items.map((item) => (
        <div className="stat" key={item.label}>
          <dt>{item.label}</dt>
          <dd>
            {item.value} {item.note && <small>{item.note}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function KeyValues({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className="kv">
      {items.map(([key, value]) => (
        <div key={key} style={{ display: "contents" }}>
          <dt>{key}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Bar({ share, label }: { share: number; label: string }) {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return (
    <div className="bar" role="progressbar" aria-label={label} aria-valuenow={Math.round(width)} aria-valuemin={0} aria-valuemax={100}>
      <i style={{ width: `${width}%` }} />
    </div>
  );
}

export function Segments<T extends string>(props: { value: T; options: readonly T[]; label: string; onChange: (value: T) => void }) {
  return (
    <div className="segments" role="group" aria-label={props.label}>
      {props.options.map((option) => (
        <button key={option} type="button" aria-pressed={option === props.value} onClick={() => props.onChange(option)}>
          {option}
        </button>
      ))}
    </div>
  );
}

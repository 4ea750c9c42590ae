/** A trace's spans as the rows of a tree beside a waterfall. */
export interface Node {
  span_id: string;
  parent_id: string;
  /** Milliseconds, from any origin that the trace's spans share. */
  start: number;
  end: number;
}

export type Timed<T> = T & Node;

/** Give spans their place in time; nanoseconds come as text, since a double cannot hold them, but their differences it can. */
export function timed<T extends { start_ns: string; duration_ms: number; span_id: string; parent_id: string }>(spans: readonly T[]): Timed<T>[] {
  const origin = BigInt(spans[0]?.start_ns ?? 0);
  return spans.map((span) => {
    const start = Number(BigInt(span.start_ns) - origin) / 1e6;
    return { ...span, start, end: start + span.duration_ms };
  });
}

export interface TreeRow<T extends Node> {
  span: T;
  depth: number;
  children: number;
  /** Where the bar begins and how long it is, as shares of the whole trace. */
  left: number;
  width: number;
}

/**
 * Lay spans out depth first, each level in order of start; what lies under a collapsed span is left out.
 *
 * A span whose parent is missing is a root, and so is the earliest of a ring of parents: no span is ever lost. The walk
 * keeps its own stack, so depth is bounded by memory alone.
 */
export function layOut<T extends Node>(spans: readonly T[], collapsed: ReadonlySet<string> = new Set()): TreeRow<T>[] {
  const known = new Set(spans.map((span) => span.span_id));
  const below = new Map<string, T[]>();
  const roots: T[] = [];
  let start = Infinity;
  let end = -Infinity;
  for (const span of spans) {
    start = Math.min(start, span.start);
    end = Math.max(end, span.end);
    if (span.parent_id && span.parent_id !== span.span_id && known.has(span.parent_id)) {
      const list = below.get(span.parent_id);
      if (list) list.push(span);
      else below.set(span.parent_id, [span]);
    } else roots.push(span);
  }
  for (const list of below.values()) list.sort(byStart);
  const whole = Math.max(1e-6, end - start);
  const rows: TreeRow<T>[] = [];
  const seen = new Set<string>();
  const walk = (first: T[]) => {
    const stack = [...first].sort(byStart).reverse().map((span) => ({ span, depth: 0, shown: true }));
    while (stack.length) {
      const { span, depth, shown } = stack.pop()!;
      if (seen.has(span.span_id)) continue;
      seen.add(span.span_id);
      const children = below.get(span.span_id) ?? [];
      if (shown)
        rows.push({
          span,
          depth,
          children: children.length,
          left: (span.start - start) / whole,
          width: Math.max(0, span.end - span.start) / whole,
        });
      const open = shown && !collapsed.has(span.span_id);
      for (let index = children.length - 1; index >= 0; index--) stack.push({ span: children[index]!, depth: depth + 1, shown: open });
    }
  };
  walk(roots);
  if (seen.size < known.size)
    for (const span of [...spans].sort(byStart)) if (!seen.has(span.span_id)) walk([span]);
  return rows;
}

function byStart(a: Node, b: Node): number {
  return a.start - b.start || a.end - b.end;
}

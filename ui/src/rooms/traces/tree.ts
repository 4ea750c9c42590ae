/** A trace's spans as the rows of a tree beside a waterfall. */
import type { Outline } from "../../api/types";

export interface Node {
  span_id: string;
  parent_id: string;
  /** Milliseconds, from any origin that the trace's spans share. */
  start: number;
  end: number;
}

/** A span of an outline: all but its texts and attributes. */
export interface SpanNode extends Node {
  name: string;
  kind: string;
  service: string;
  status: string;
  model: string;
  input_tokens: number | null;
  output_tokens: number | null;
  cost: number | null;
  says: boolean;
}

/** The spans of an outline, which come as columns, one by one. */
export function spansOf(columns: Outline["spans"]): SpanNode[] {
  return columns.span_id.map((span_id, at) => ({
    span_id,
    parent_id: columns.span_id[columns.parent[at]!] ?? "",
    start: columns.start_ms[at]!,
    end: columns.start_ms[at]! + columns.duration_ms[at]!,
    name: columns.name[at]!,
    kind: columns.kind[at]!,
    service: columns.service[at]!,
    status: columns.status[at]!,
    model: columns.model[at]!,
    input_tokens: columns.input_tokens[at]!,
    output_tokens: columns.output_tokens[at]!,
    cost: columns.cost[at]!,
    says: columns.says[at]!,
  }));
}

const COUNTED = new Set(["chat", "text_completion", "generate_content", "embeddings"]);

/**
 * What a trace used, and how many of its spans failed: the tokens of model calls that no other model call encloses directly, since a client
 * and the gateway may both report one; where no model call says anything, those of every span.
 */
export function totals(spans: readonly SpanNode[]) {
  const calls = spans.filter((span) => COUNTED.has(span.kind) && (span.input_tokens ?? span.output_tokens) !== null);
  const enclosing = new Set(calls.map((span) => span.parent_id));
  const inner = calls.filter((span) => !enclosing.has(span.span_id));
  const found = { input: 0, output: 0, cost: 0, errors: 0 };
  for (const span of inner.length > 0 ? inner : spans) {
    found.input += span.input_tokens ?? 0;
    found.output += span.output_tokens ?? 0;
    found.cost += span.cost ?? 0;
  }
  for (const span of spans) if (span.status === "error") found.errors += 1;
  return found;
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

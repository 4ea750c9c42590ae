/** Two traces laid side by side: which span of one is which of the other. */
import { layOut, type SpanNode } from "./tree";

export interface Pair {
  key: string;
  name: string;
  depth: number;
  left?: SpanNode;
  right?: SpanNode;
}

/**
 * Pair spans that stand at the same place: under paired parents, by kind and name, the first with the first. What only one trace has
 * follows the span before it.
 */
export function align(left: readonly SpanNode[], right: readonly SpanNode[]): Pair[] {
  const [a, b] = [keyed(left), keyed(right)];
  const other = new Map(b.map((one) => [one.key, one]));
  const known = new Set(a.map((one) => one.key));
  const after = new Map<string, Keyed[]>();
  let before = "";
  for (const one of b) {
    if (known.has(one.key)) before = one.key;
    else after.set(before, [...(after.get(before) ?? []), one]);
  }
  const alone = (key: string): Pair[] => (after.get(key) ?? []).map((one) => ({ ...one.pair, right: one.span }));
  return [...alone(""), ...a.flatMap((one) => [{ ...one.pair, left: one.span, right: other.get(one.key)?.span }, ...alone(one.key)])];
}

interface Keyed {
  key: string;
  span: SpanNode;
  pair: Pair;
}

function keyed(spans: readonly SpanNode[]): Keyed[] {
  const seen = new Map<string, number>();
  const path: string[] = [];
  return layOut(spans).map(({ span, depth }) => {
    const base = `${depth > 0 ? path[depth - 1] : ""}/${span.kind}:${span.name}`;
    const nth = seen.get(base) ?? 0;
    seen.set(base, nth + 1);
    const key = `${base}#${nth}`;
    path[depth] = key;
    return { key, span, pair: { key, name: span.name || span.kind, depth } };
  });
}

import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { duration } from "../../kit/format";
import { Icon, type IconName } from "../../kit/icons";
import { useKeys } from "../../kit/list";
import { layOut, type SpanNode } from "./tree";

const ICONS: Record<string, IconName> = {
  chat: "chat",
  text_completion: "chat",
  generate_content: "chat",
  embeddings: "dot",
  retrieval: "search",
  execute_tool: "tool",
  guard: "guard",
  guardrail: "guard",
};

const LOOKS: Record<string, string> = { error: "failed", running: "under-way", unfinished: "under-way" };

interface Props {
  spans: SpanNode[];
  chosen: string;
  collapsed: ReadonlySet<string>;
  setCollapsed: (next: ReadonlySet<string>) => void;
  choose: (span: string) => void;
}

/** The tree of spans beside its waterfall; only the rows in view exist, so 50,000 spans open at once. */
export function SpanTree({ spans, chosen, collapsed, setCollapsed, choose }: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => layOut(spans, collapsed), [spans, collapsed]);
  const view = useVirtualizer({ count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => 28, overscan: 16 });
  const at = rows.findIndex((row) => row.span.span_id === chosen);
  const step = (by: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, at + by));
    choose(rows[next]!.span.span_id);
    view.scrollToIndex(next);
  };
  const fold = (id: string, closed: boolean) => {
    const next = new Set(collapsed);
    if (closed) next.add(id);
    else next.delete(id);
    setCollapsed(next);
  };
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    ArrowLeft: () => fold(chosen, true),
    ArrowRight: () => fold(chosen, false),
  });
  return (
    <div className="tree" ref={scroll} role="tree" aria-label="Spans" tabIndex={0} aria-activedescendant={`span-${chosen}`}>
      <div style={{ height: view.getTotalSize(), position: "relative" }} role="presentation">
        {view.getVirtualItems().map((item) => {
          const row = rows[item.index]!;
          const { span } = row;
          const folded = collapsed.has(span.span_id);
          const ms = span.end - span.start;
          return (
            <div
              key={span.span_id}
              id={`span-${span.span_id}`}
              role="treeitem"
              aria-level={row.depth + 1}
              aria-selected={span.span_id === chosen}
              aria-expanded={row.children ? !folded : undefined}
              className={`tree-row ${LOOKS[span.status] ?? ""}`}
              style={{ transform: `translateY(${item.start}px)` }}
              onClick={() => choose(span.span_id)}
            >
              <div className="tree-name" style={{ paddingLeft: 8 + Math.min(row.depth, 24) * 14 }}>
                {row.children ? (
                  <span
                    className="fold"
                    onClick={(event) => {
                      event.stopPropagation();
                      fold(span.span_id, !folded);
                    }}
                  >
                    <Icon name={folded ? "right" : "down"} size={12} />
                  </span>
                ) : (
                  <span className="fold" />
                )}
                <Icon name={span.status === "error" ? "cross" : (ICONS[span.kind] ?? "dot")} size={14} />
                <span className="cut">{span.name || span.kind}</span>
                {span.status === "error" && <span className="sr">failed</span>}
                {folded && <span className="tag">{row.children}</span>}
              </div>
              <div className="tree-bar">
                <i style={{ left: `${row.left * 100}%`, width: `max(2px, ${row.width * 100}%)` }} />
              </div>
              <span className="num dim">{LOOKS[span.status] === "under-way" ? span.status : duration(ms)}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

import { useMediaQuery } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, type ReactNode } from "react";
import { Skeleton } from "./basics";
import { plural } from "./format";
import { Icon } from "./icons";
import { Failure } from "./page";

export interface Column<T> {
  key: string;
  label: string;
  /** A CSS grid track: "120px", "minmax(160px, 1fr)". */
  width: string;
  numeric?: boolean;
  /** What the row is called where there is no room for columns; otherwise the first whose width gives way. */
  name?: boolean;
  cell: (item: T) => ReactNode;
}

export interface ListProps<T> {
  label: string;
  noun: string;
  /** The noun of many, where an s does not make it. */
  many?: string;
  items: T[] | undefined;
  error?: unknown;
  columns: Column<T>[];
  id: (item: T) => string;
  /** Goes to the item's own page; without one, the peek panel holds all there is. */
  open?: (item: T) => void;
  blank: ReactNode;
  selected?: string;
  select?: (id: string | undefined) => void;
  peek?: (item: T) => ReactNode;
  peekTitle?: (item: T) => ReactNode;
  hasMore?: boolean;
  loadMore?: () => void;
  loadingMore?: boolean;
  retry?: () => unknown;
  /** Boxes that mark several items; X marks the one that the keys stand on. */
  marks?: { marked: readonly string[]; toggle: (id: string) => void; label: (item: T) => string; may?: (item: T) => boolean };
}

const ROW = 32;
const STACKED = 60;

/** A list of any length: only the rows in view exist. J and K walk it with the peek panel, Enter opens, Esc closes. */
export function List<T>(props: ListProps<T>) {
  const { items, selected, marks } = props;
  const columns = marks ? [boxes(marks, props.id), ...props.columns] : props.columns;
  const scroll = useRef<HTMLDivElement>(null);
  const stacked = useMediaQuery("(max-width: 600px)", false, { getInitialValueInEffect: false });
  const rows = useVirtualizer({
    count: items?.length ?? 0,
    getScrollElement: () => scroll.current,
    estimateSize: () => (stacked ? STACKED : ROW),
    overscan: 12,
  });
  useEffect(() => rows.measure(), [rows, stacked]);
  const visible = rows.getVirtualItems();
  const last = visible.at(-1)?.index ?? 0;
  useEffect(() => {
    if (items && props.hasMore && !props.loadingMore && last >= items.length - 20) props.loadMore?.();
  }, [last, items, props]);
  const place = (id: string | undefined) => items?.findIndex((item) => props.id(item) === id) ?? -1;
  const at = place(selected);
  // The address follows a choice a little later; a key that comes before it must go on from what was chosen last.
  const chosen = useRef(selected);
  useEffect(() => void (chosen.current = selected), [selected]);
  const choose = (id: string | undefined) => {
    chosen.current = id;
    props.select?.(id);
  };
  const step = (by: number) => {
    if (!items?.length || !props.select) return;
    const from = place(chosen.current);
    const next = Math.max(0, Math.min(items.length - 1, from < 0 ? 0 : from + by));
    choose(props.id(items[next]!));
    rows.scrollToIndex(next);
  };
  const under = () => items?.[place(chosen.current)];
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    x: () => {
      const item = under();
      if (item && marks && (marks.may?.(item) ?? true)) marks.toggle(props.id(item));
    },
    Escape: () => choose(undefined),
    Enter: () => {
      const item = under();
      if (item) props.open?.(item);
    },
  });
  if (props.error && !items) return <Failure error={props.error} retry={props.retry} />;
  if (items && items.length === 0) return <div className="page-body">{props.blank}</div>;
  const tracks = stacked ? {} : { gridTemplateColumns: columns.map((column) => column.width).join(" "), minWidth: least(columns.map((column) => column.width)) };
  const peeked = at >= 0 ? items![at] : undefined;
  return (
    <div className="list-area">
      <div className="list">
        <div className="list-scroll" ref={scroll} tabIndex={0} role="grid" aria-label={props.label} aria-rowcount={props.hasMore ? -1 : items?.length}>
          <div className={stacked ? "sr" : "list-head"} role="row" style={tracks}>
            {columns.map((column) => (
              <div key={column.key} role="columnheader" className={column.numeric ? "list-cell num" : "list-cell"}>
                {column.label}
              </div>
            ))}
          </div>
          {items ? (
            <div className="list-rows" role="rowgroup" style={{ height: rows.getTotalSize() }}>
              {visible.map((row) => {
                const item = items[row.index]!;
                const id = props.id(item);
                return (
                  <div
                    key={id}
                    role="row"
                    aria-rowindex={row.index + 1}
                    aria-selected={id === selected}
                    className={stacked ? "list-row stacked" : "list-row"}
                    style={{ ...tracks, transform: `translateY(${row.start}px)` }}
                    onClick={() => (props.select && props.peek ? choose(id === selected ? undefined : id) : props.open?.(item))}
                    onDoubleClick={() => props.open?.(item)}
                  >
                    {stacked ? <Stacked item={item} columns={columns} /> : columns.map((column) => <Cell key={column.key} item={item} column={column} />)}
                  </div>
                );
              })}
            </div>
          ) : (
            <div style={{ padding: 20 }}>
              <Skeleton lines={12} />
            </div>
          )}
        </div>
        <div className="list-foot">
          <span>{items ? `${plural(items.length, props.noun, props.many)}${props.hasMore ? " loaded, more below" : ""}` : " "}</span>
          {props.select && (
            <span>
              <kbd>J</kbd> <kbd>K</kbd> walk · {marks && <><kbd>X</kbd> mark · </>}{props.open && <><kbd>Enter</kbd> open · </>}<kbd>Esc</kbd> {props.peek ? "close" : "leave"}
            </span>
          )}
        </div>
      </div>
      {peeked !== undefined && props.peek && (
        <aside className="peek" aria-label="Preview">
          <header>
            <h2 className="cut">{props.peekTitle?.(peeked)}</h2>
            <button type="button" className="btn icon quiet" aria-label="Previous" onClick={() => step(-1)}>
              <Icon name="up" />
            </button>
            <button type="button" className="btn icon quiet" aria-label="Next" onClick={() => step(1)}>
              <Icon name="down" />
            </button>
            {props.open && (
              <button type="button" className="btn icon quiet" aria-label="Open" onClick={() => props.open?.(peeked)}>
                <Icon name="open" />
              </button>
            )}
            <button type="button" className="btn icon quiet" aria-label="Close" onClick={() => choose(undefined)}>
              <Icon name="cross" />
            </button>
          </header>
          <div tabIndex={0}>{props.peek(peeked)}</div>
        </aside>
      )}
    </div>
  );
}

function Cell<T>({ item, column, named }: { item: T; column: Column<T>; named?: boolean }) {
  return (
    <div role="gridcell" className={column.numeric && !named ? "list-cell num" : "list-cell"}>
      {named && column.numeric && <span className="faint">{column.label} </span>}
      {column.cell(item)}
    </div>
  );
}

/** A row in two lines, for a window without room for columns: its name and how it stands, then the rest as far as it fits. */
function Stacked<T>({ item, columns }: { item: T; columns: Column<T>[] }) {
  const box = columns[0]?.key === "mark" ? columns[0] : undefined;
  const shown = box ? columns.slice(1) : columns;
  const title = shown.find((column) => column.name) ?? shown.find((column) => column.width.includes("fr")) ?? shown[0]!;
  const beside = shown.filter((column, index) => ["state", "status"].includes(column.key) || (index < shown.indexOf(title) && !column.numeric)).slice(0, 2);
  return (
    <>
      {box && <Cell item={item} column={box} />}
      <div role="presentation" className="stacked-lines">
        <div role="presentation" className="stacked-head">
          <Cell item={item} column={title} />
          {beside.toReversed().map((column) => <Cell key={column.key} item={item} column={column} />)}
        </div>
        <div role="presentation" className="stacked-rest">
          {shown.filter((column) => column !== title && !beside.includes(column)).map((column) => <Cell key={column.key} item={item} column={column} named />)}
        </div>
      </div>
    </>
  );
}

function boxes<T>(marks: NonNullable<ListProps<T>["marks"]>, id: (item: T) => string): Column<T> {
  return {
    key: "mark",
    label: "",
    width: "18px",
    cell: (item) => (
      <input
        type="checkbox"
        aria-label={marks.label(item)}
        checked={marks.marked.includes(id(item))}
        disabled={marks.may && !marks.may(item)}
        onClick={(event) => event.stopPropagation()}
        onChange={() => marks.toggle(id(item))}
      />
    ),
  };
}

/** The width under which a list scrolls sideways: the least of every track, with gaps and padding. Rows must agree on it. */
function least(widths: string[]): number {
  return widths.reduce((sum, width) => sum + Number(/\d+/.exec(width)?.[0] ?? 0) + 16, 24);
}

/** Keys that work anywhere on the page but where somebody types, or where the key already acts on what has the focus. */
export function useKeys(keys: Record<string, () => unknown>) {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const handle = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
      if (target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], [role=dialog], [role=menu]")) return;
      if (event.key === "Enter" && target.closest("a, button")) return;
      const action = latest.current[event.key];
      if (!action) return;
      if (event.key !== "Escape") event.preventDefault();
      action();
    };
    window.addEventListener("keydown", handle);
    return () => window.removeEventListener("keydown", handle);
  }, []);
}

/** A plain table for a bounded number of rows. */
export function Table<T>(props: { label: string; columns: Omit<Column<T>, "width">[]; items: T[]; id: (item: T) => string }) {
  return (
    <div className="table-wrap" tabIndex={0} role="group" aria-label={props.label}>
      <table className="table">
        <thead>
          <tr>
            {props.columns.map((column) => (
              <th key={column.key} scope="col" className={column.numeric ? "num" : undefined}>
                {column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.items.map((item) => (
            <tr key={props.id(item)}>
              {props.columns.map((column) => (
                <td key={column.key} className={column.numeric ? "num" : undefined}>
                  {column.cell(item)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

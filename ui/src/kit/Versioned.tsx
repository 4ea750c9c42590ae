import { useNavigate, useParams } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import type { AliasMove } from "../api/types";
import { Card, Time } from "./basics";
import { useUrl } from "./hooks";
import { Table, type Column } from "./list";
import { Page, Show, type Crumb, type Loaded } from "./page";
import { Tabs, useTab } from "./Tabs";
import { VersionPick, type Versioned } from "./VersionPick";

/** A version as it is kept, with what people say of it. */
export interface Kept {
  name: string;
  number: number;
  ref: string;
  note?: string;
  created_by: string;
  created_at: string;
}

/** What the address says that a page of versions shows, and how to ask for that version and for all. */
export function useVersion<Tab extends string>(tabs: readonly Tab[]) {
  const { name } = useParams({ strict: false }) as { name: string };
  const [url] = useUrl();
  const path = { name };
  const of = { name, tabs, tab: useTab(tabs) };
  return { of, one: { params: { path, query: { selector: url.version ?? "" } } }, all: { params: { path, query: { limit: 200 } } } };
}

/** Whether the form of the next version is open; once it is stored, the page at `to` shows it. */
export function useNext(to: string) {
  const navigate = useNavigate();
  const [making, setMaking] = useState(false);
  return { making, begin: () => setMaking(true), close: () => setMaking(false), done: () => void navigate({ to, search: {} as never }) };
}

/** The page of something that has versions: which one is shown, its aliases or labels, and its parts as tabs. */
export function VersionedPage<T extends { number: number }, Tab extends string>(props: {
  name: string;
  crumb: Crumb;
  query: Loaded<T>;
  versions: Versioned[] | undefined;
  names?: string[];
  tabs: readonly Tab[];
  tab: Tab;
  tabsLabel: string;
  /** What else stands beside the version: the state of what has one. */
  badge?: ReactNode;
  actions?: ReactNode;
  flush?: boolean;
  children: (item: T) => ReactNode;
}) {
  return (
    <Page
      title={props.name}
      crumbs={[props.crumb]}
      badge={
        <>
          <VersionPick versions={props.versions} current={props.query.data?.number} />
          {props.names?.map((name) => (
            <span key={name} className="tag">
              {name}
            </span>
          ))}
          {props.badge}
        </>
      }
      actions={props.actions}
      flush={props.flush}
      tabs={<Tabs tabs={props.tabs} label={props.tabsLabel} current={props.tab} />}
    >
      <Show query={props.query}>{props.children}</Show>
    </Page>
  );
}

/** Who wrote a version when, and why. */
export function madeOf(one: Kept): [string, ReactNode][] {
  return [
    ["Note", one.note || <span className="faint">none</span>],
    ["Made", <span key="m"><Time at={one.created_at} /> by {one.created_by}</span>],
  ];
}

/** Columns of a list of things with versions: what is `told` of one stands between its version and its note. */
export function keptColumns<T extends Kept>(label: string, told: Column<T>[]): Column<T>[] {
  return [
    { key: "name", label, width: "minmax(140px,1fr)", cell: (one) => one.name },
    { key: "version", label: "Version", width: "64px", numeric: true, cell: (one) => <span className="num">{one.number}</span> },
    ...told,
    { key: "note", label: "Note", width: "minmax(120px,1fr)", cell: (one) => <span className="dim">{one.note || "–"}</span> },
    { key: "by", label: "By", width: "88px", cell: (one) => one.created_by },
    { key: "at", label: "Changed", width: "92px", cell: (one) => <Time at={one.created_at} /> },
  ];
}

/** Every version in a table, with a column of what is told of each; a click shows one. */
export function Versions<T extends Kept>({ items, told }: { items: T[] | undefined; told: Omit<Column<T>, "width">[] }) {
  const [, setUrl] = useUrl();
  return (
    <Card title="Versions" flush>
      <Table<T>
        label="Versions"
        items={items ?? []}
        id={(one) => one.ref}
        columns={[
          { key: "n", label: "Version", cell: (one) => <button type="button" className="link-like" onClick={() => setUrl({ version: String(one.number), tab: undefined }, true)}>{one.ref}</button> },
          ...told,
          { key: "note", label: "Note", cell: (one) => one.note || <span className="faint">–</span> },
          { key: "by", label: "By", cell: (one) => one.created_by },
          { key: "at", label: "When", cell: (one) => <Time at={one.created_at} /> },
        ]}
      />
    </Card>
  );
}

/** The moves of labels or aliases, newest first. */
export function Moves({ moves, label, noun }: { moves: AliasMove[]; label: string; noun: string }) {
  return (
    <Table<AliasMove>
      label={label}
      items={moves}
      id={(move) => `${move.alias}${move.moved_at}`}
      columns={[
        { key: "alias", label: noun, cell: (move) => <span className="tag">{move.alias}</span> },
        { key: "to", label: "To", cell: (move) => (move.number == null ? "removed" : `@${move.number}`) },
        { key: "at", label: "When", cell: (move) => <Time at={move.moved_at} /> },
        { key: "by", label: "By", cell: (move) => move.moved_by },
        { key: "note", label: "Note", cell: (move) => move.note || <span className="faint">–</span> },
      ]}
    />
  );
}

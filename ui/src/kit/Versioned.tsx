import type { ReactNode } from "react";
import type { AliasMove } from "../api/types";
import { Time } from "./basics";
import { Table } from "./list";
import { Page, Show, type Crumb, type Loaded } from "./page";
import { Tabs } from "./Tabs";
import { VersionPick, type Versioned } from "./VersionPick";

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

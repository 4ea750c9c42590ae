import { Link } from "@tanstack/react-router";
import { useEffect, type ReactNode } from "react";
import { ApiError } from "../api/client";
import { Skeleton } from "./basics";
import { Icon } from "./icons";

export interface Crumb {
  label: string;
  to: string;
}

/** A page: its title (and where it lies), its actions, its body. */
export function Page(props: { title: string; crumbs?: Crumb[]; badge?: ReactNode; actions?: ReactNode; tabs?: ReactNode; flush?: boolean; children: ReactNode }) {
  useEffect(() => {
    document.title = `${props.title} · Mainspring`;
  }, [props.title]);
  return (
    <>
      <header className="page-head">
        <div className="crumbs">
          {props.crumbs?.map((crumb) => (
            <span key={crumb.to} className="row">
              <Link to={crumb.to}>{crumb.label}</Link>
              <Icon name="right" size={12} className="faint" />
            </span>
          ))}
          <h1 className="cut">{props.title}</h1>
        </div>
        {props.badge}
        {props.actions && <div className="page-actions">{props.actions}</div>}
      </header>
      {props.tabs}
      {props.flush ? (
        <div className="page-body flush">{props.children}</div>
      ) : (
        <div className="page-body" tabIndex={-1}>
          {props.children}
        </div>
      )}
    </>
  );
}

/** What most come to a page to do; it is there for those who may. */
export function Primary({ may, go, children }: { may: boolean; go: () => void; children: ReactNode }) {
  return (
    may && (
      <button type="button" className="btn primary" onClick={go}>
        {children}
      </button>
    )
  );
}

export interface Loaded<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch?: () => unknown;
}

/** A query as what it shows: its skeleton, its error with what to do, or its data. */
export function Show<T>(props: { query: Loaded<T>; lines?: number; children: (data: T) => ReactNode }) {
  const { query } = props;
  if (query.data !== undefined) return <>{props.children(query.data)}</>;
  if (query.error) return <Failure error={query.error} retry={query.refetch} />;
  return <Skeleton lines={props.lines} />;
}

export function Failure({ error, retry }: { error: unknown; retry?: () => unknown }) {
  const known = error instanceof ApiError ? error : null;
  return (
    <div className="blank" role="alert">
      <Icon name={known?.status === 404 ? "search" : "warn"} size={28} />
      <h2>{known?.status === 404 ? "Not found" : known?.status === 403 ? "Not allowed" : "This could not be loaded"}</h2>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {known?.hint && <p className="faint">{known.hint}</p>}
      {retry && known?.status !== 404 && known?.status !== 403 && (
        <button type="button" className="btn" onClick={() => retry()}>
          Try again
        </button>
      )}
    </div>
  );
}

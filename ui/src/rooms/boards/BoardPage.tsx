import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { $api } from "../../api/client";
import type { Board, Figures, Panel } from "../../api/types";
import { copyText, Time } from "../../kit/basics";
import { TypedName } from "../../kit/Dialog";
import { Chip, Choose, Filters } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { useOutcome } from "../../kit/outcome";
import { Page, Show } from "../../kit/page";
import { toast } from "../../kit/toast";
import { may, useWho } from "../../shell/session";
import { DIMENSIONS, moved, RANGES } from "./boards";
import { EMPTY, PanelForm } from "./PanelForm";
import { PanelView, type Shared } from "./PanelView";

const MINUTE = 60_000;

/** A board: its panels over one time, narrowed and grouped together; all of that stands in the address, which can be shared. */
export function BoardPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const [url, setUrl] = useUrl();
  const query = $api.useQuery("get", "/boards/{name}", { params: { path: { name } } });
  const [draft, setDraft] = useState<Panel[] | null>(null);
  useEffect(() => setDraft(null), [name]);
  const shared = useShared();
  const narrow = (by: string, group: string) => setUrl({ [by]: group }, true);
  return (
    <Page
      title={query.data?.title ?? name}
      crumbs={[{ label: "Boards", to: "/boards" }]}
      actions={query.data && <Actions board={query.data} draft={draft} edit={() => setDraft(query.data.panels)} leave={() => setDraft(null)} />}
      flush
    >
      <Filters>
        <Choose name="hours" label="Time" choices={RANGES} fallback="24" />
        <Choose name="by" label="By" any="by what each panel says" choices={DIMENSIONS.map((one) => ({ value: one, label: `by ${one}` }))} />
        <Environments />
        <label className="checks-line">
          <input type="checkbox" checked={shared.compare} onChange={(event) => setUrl({ compare: event.target.checked ? undefined : "no" }, true)} />
          <span>beside the time before</span>
        </label>
        {DIMENSIONS.filter((one) => one !== "environment" && url[one]).map((one) => <Chip key={one} name={one} label={one} value={url[one]!} />)}
      </Filters>
      <div className="page-body" tabIndex={0} role="region" aria-label="Panels">
        <Idle shared={shared} />
        <Show query={query} lines={12}>
          {(board) => <Panels panels={draft ?? board.panels} change={draft ? setDraft : undefined} shared={shared} narrow={narrow} />}
        </Show>
        {query.data && !query.data.built_in && (
          <p className="dim board-foot">
            Changed <Time at={query.data.changed_at} /> by {query.data.changed_by}.
          </p>
        )}
      </div>
    </Page>
  );
}

/** Where no call falls into the time: where calls come from. */
function Idle({ shared }: { shared: Shared }) {
  const { since, until, where } = shared;
  const query = $api.useQuery("get", "/boards/figures", { params: { query: { measure: "requests", since, until, ...where } } }, { placeholderData: (old: Figures | undefined) => old, refetchOnWindowFocus: false });
  if (!query.data || query.data.series.some((one) => one.total)) return null;
  return (
    <p className="notice info board-idle">
      <Icon name="usage" size={14} />
      <span>
        No call falls into this time. Every call through the gateway counts, and whatever is sent as traces: the <Link to="/quickstart" className="link">quick start</Link> makes the first.
      </span>
    </p>
  );
}

function Environments() {
  const environments = $api.useQuery("get", "/environments", { params: { query: { limit: 500 } } });
  return <Choose name="environment" label="Environment" any="Any environment" choices={environments.data?.items.map((one) => one.name) ?? []} />;
}

/** What all panels share; the time moves on by the minute. */
function useShared(): Shared {
  const [url] = useUrl();
  const hours = Number(RANGES.find((one) => one.value === url.hours)?.value ?? 24);
  const [now, setNow] = useState(() => Math.ceil(Date.now() / MINUTE) * MINUTE);
  useEffect(() => {
    const tick = setInterval(() => setNow(Math.ceil(Date.now() / MINUTE) * MINUTE), MINUTE);
    return () => clearInterval(tick);
  }, []);
  const where = JSON.stringify(Object.fromEntries(DIMENSIONS.flatMap((one) => (url[one] ? [[one, url[one]]] : []))));
  const by = DIMENSIONS.find((one) => one === url.by);
  const compare = url.compare !== "no";
  return useMemo(
    () => ({
      since: new Date(now - hours * 60 * MINUTE).toISOString(),
      until: new Date(now).toISOString(),
      by,
      compare,
      where: JSON.parse(where) as Record<string, string>,
    }),
    [now, hours, by, compare, where],
  );
}

function Actions({ board, draft, edit, leave }: { board: Board; draft: Panel[] | null; edit: () => void; leave: () => void }) {
  const who = useWho();
  const outcome = useOutcome();
  const navigate = useNavigate();
  const [going, setGoing] = useState(false);
  const call = { params: { path: { name: board.name } } };
  const save = $api.useMutation("patch", "/boards/{name}", outcome("The board is kept, for everybody in the project.", { done: leave }));
  const drop = $api.useMutation("delete", "/boards/{name}", outcome("The board is deleted.", { quiet: true, done: () => void navigate({ to: "/boards" }) }));
  if (draft)
    return (
      <>
        <button type="button" className="btn" onClick={leave}>
          Cancel
        </button>
        <button type="button" className="btn primary" disabled={draft.length === 0 || save.isPending} onClick={() => save.mutate({ ...call, body: { panels: draft } })}>
          Save
        </button>
      </>
    );
  return (
    <>
      {may(who.data, "board.write") && !board.built_in && (
        <button type="button" className="btn danger" onClick={() => setGoing(true)}>
          Delete
        </button>
      )}
      <button type="button" className="btn" onClick={() => void copyText(location.href).then(() => toast("The link is copied: it shows a member of the project the same."))}>
        Copy the link
      </button>
      {may(who.data, "board.write") && (
        <button type="button" className="btn" onClick={edit}>
          Change
        </button>
      )}
      {going && (
        <TypedName title="Delete the board" name={board.name} label="Delete" busy={drop.isPending} error={drop.error} close={() => setGoing(false)} go={() => drop.mutate(call)}>
          It goes for everybody in the project.
        </TypedName>
      )}
    </>
  );
}

function Panels({ panels, change, shared, narrow }: { panels: Panel[]; change?: (panels: Panel[]) => void; shared: Shared; narrow: (by: string, group: string) => void }) {
  const [at, setAt] = useState<number | null>(null);
  const measures = $api.useQuery("get", "/boards/measures", {});
  const label = (panel: Panel) => {
    const called = panel.title || (measures.data?.find((one) => one.name === panel.measure)?.label ?? panel.measure);
    const by = panel.chart === "number" || panel.title ? "" : (shared.by ?? panel.by);
    return by ? `${called} by ${by}` : called;
  };
  const keep = (panel: Panel) => {
    change?.(at === panels.length ? [...panels, panel] : panels.map((one, index) => (index === at ? panel : one)));
    setAt(null);
  };
  return (
    <div className="board">
      {panels.map((panel, index) => (
        <section key={`${index} ${panel.measure} ${panel.by} ${panel.chart}`} className={`card panel ${panel.chart}`} aria-label={label(panel)}>
          <header>
            <h2 className="cut">{label(panel)}</h2>
            {change && (
              <div className="page-actions">
                <button type="button" className="btn icon quiet" aria-label={`Move ${label(panel)} up`} onClick={() => change(moved(panels, index, -1))}>
                  <Icon name="up" />
                </button>
                <button type="button" className="btn icon quiet" aria-label={`Move ${label(panel)} down`} onClick={() => change(moved(panels, index, 1))}>
                  <Icon name="down" />
                </button>
                <button type="button" className="btn icon quiet" aria-label={`Change ${label(panel)}`} onClick={() => setAt(index)}>
                  <Icon name="tool" />
                </button>
                <button type="button" className="btn icon quiet" aria-label={`Remove ${label(panel)}`} onClick={() => change(panels.filter((_, other) => other !== index))}>
                  <Icon name="cross" />
                </button>
              </div>
            )}
          </header>
          <PanelView panel={panel} shared={shared} narrow={narrow} />
        </section>
      ))}
      {change && panels.length < 24 && (
        <button type="button" className="btn panel add" onClick={() => setAt(panels.length)}>
          Add a panel
        </button>
      )}
      {at !== null && <PanelForm panel={panels[at] ?? EMPTY} close={() => setAt(null)} done={keep} />}
    </div>
  );
}

import { Popover } from "@mantine/core";
import { useState } from "react";
import { $api } from "../api/client";
import { Field, Refused } from "../kit/Dialog";
import { useUrl } from "../kit/hooks";
import { Icon } from "../kit/icons";
import { useOutcome } from "../kit/outcome";
import { may, useWho } from "./session";

/** The saved views of a list: open one, save what it is narrowed to now, take one away. `keys` are what makes a view. */
export function SavedViews({ page, keys }: { page: string; keys: readonly string[] }) {
  const who = useWho();
  const outcome = useOutcome();
  const [url, setUrl] = useUrl();
  const [opened, setOpened] = useState(false);
  const [title, setTitle] = useState("");
  const [shared, setShared] = useState(false);
  const views = $api.useQuery("get", "/views", { params: { query: { page, limit: 500 } } });
  const state = Object.fromEntries(keys.flatMap((key) => (url[key] ? [[key, url[key]!]] : [])));
  const items = views.data?.items ?? [];
  const same = (other: Record<string, string>) => JSON.stringify(Object.entries(other).sort()) === JSON.stringify(Object.entries(state).sort());
  const current = items.find((view) => same(view.state));
  const save = $api.useMutation("post", "/views", outcome((made: { title: string }) => `Saved as “${made.title}”.`, { done: () => setTitle(""), quiet: true }));
  const drop = $api.useMutation(
    "delete",
    "/views/{view_id}",
    outcome((gone: { title: string; state: Record<string, string>; shared: boolean }) => `“${gone.title}” is gone.`, {
      undo: (gone) => save.mutate({ body: { page, title: gone.title, state: gone.state, shared: gone.shared } }),
    }),
  );
  const writes = may(who.data, "view.write");
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-end" withinPortal={false} trapFocus shadow="md" transitionProps={{ duration: 80 }}>
      <Popover.Target>
        <button type="button" className="btn" aria-haspopup="dialog" aria-expanded={opened} onClick={() => setOpened(!opened)}>
          <Icon name="filter" size={14} /> {current ? current.title : "Views"} <Icon name="down" size={12} />
        </button>
      </Popover.Target>
      <Popover.Dropdown className="views">
        {items.length === 0 && <p className="faint">No saved views yet.</p>}
        <ul>
          {items.map((view) => (
            <li key={view.id}>
              <button
                type="button"
                className="btn quiet grow"
                aria-pressed={view === current}
                onClick={() => {
                  setUrl({ ...Object.fromEntries(keys.map((key) => [key, undefined])), ...view.state, peek: undefined }, true);
                  setOpened(false);
                }}
              >
                <span className="cut">{view.title}</span>
                {view.shared && <span className="tag">{view.created_by === who.data?.member ? "shared" : view.created_by}</span>}
              </button>
              {(view.created_by === who.data?.member || may(who.data, "view.delete")) && (
                <button type="button" className="btn icon quiet" aria-label={`Delete the view ${view.title}`} onClick={() => {
                    drop.mutate({ params: { path: { view_id: view.id } } });
                    setOpened(false);
                  }}>
                  <Icon name="cross" size={12} />
                </button>
              )}
            </li>
          ))}
        </ul>
        {writes && (
          <form
            className="stack tight"
            onSubmit={(event) => {
              event.preventDefault();
              save.mutate({ body: { page, title, state, shared } });
            }}
          >
            <Field label="Save what is shown as">
              <input className="input" value={title} maxLength={80} onChange={(event) => setTitle(event.target.value)} />
            </Field>
            <div className="row">
              <label className="row">
                <input type="checkbox" checked={shared} onChange={(event) => setShared(event.target.checked)} /> for everybody
              </label>
              <button type="submit" className="btn primary" style={{ marginLeft: "auto" }} disabled={!title.trim() || save.isPending}>
                Save
              </button>
            </div>
            <Refused error={save.error} />
          </form>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Board } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { EMPTY } from "./PanelForm";

const COLUMNS: Column<Board>[] = [
  { key: "title", label: "Board", width: "minmax(160px,1fr)", cell: (one) => one.title },
  { key: "name", label: "Name", width: "minmax(120px,0.7fr)", cell: (one) => <span className="mono dim">{one.name}</span> },
  { key: "panels", label: "Panels", width: "64px", numeric: true, cell: (one) => <span className="num">{one.panels.length}</span> },
  { key: "shows", label: "Shows", width: "minmax(200px,2fr)", cell: (one) => <span className="dim">{[...new Set(one.panels.map((panel) => panel.measure))].join(", ")}</span> },
  { key: "changed", label: "Changed", width: "160px", cell: (one) => (one.built_in ? <span className="dim">comes with the product</span> : <span><Time at={one.changed_at} /> by {one.changed_by}</span>) },
];

/** Boards of the project, and those that come with the product. */
export function BoardList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const [making, setMaking] = useState(false);
  const query = $api.useInfiniteQuery("get", "/boards", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <Page
      title="Boards"
      flush
      actions={<Primary may={may(who.data, "board.write")} go={() => setMaking(true)}>Create a board</Primary>}
    >
      <List
        label="Boards"
        noun="board"
        {...paged(query)}
        columns={COLUMNS}
        id={(one) => one.name}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        open={(one) => void navigate({ to: `/boards/${one.name}` })}
        blank={<Blank icon="board" title="No boards" />}
      />
      {making && <NewBoard close={() => setMaking(false)} />}
    </Page>
  );
}

function NewBoard({ close }: { close: () => void }) {
  const navigate = useNavigate();
  const outcome = useOutcome();
  const [name, setName] = useState("");
  const [title, setTitle] = useState("");
  const create = $api.useMutation("post", "/boards", outcome((made: Board) => `${made.title} is there, for everybody in the project.`, { quiet: true, done: (made) => void navigate({ to: `/boards/${made.name}` }) }));
  return (
    <FormDialog
      title="Create a board"
      close={close}
      ready={NAME.test(name) && !create.isPending}
      label="Create"
      error={create.error}
      go={() => create.mutate({ body: { name, title: title.trim() || null, panels: [{ ...EMPTY, chart: "bars", by: "model" }] } })}
    >
      <NameField value={name} set={setName} placeholder="support" />
      <Field label="Title">
        <input className="input" value={title} maxLength={120} placeholder={name || "as the name"} onChange={(event) => setTitle(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { DatasetVersion } from "../../api/types";
import { Blank, Id, Time } from "../../kit/basics";
import { count } from "../../kit/format";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho, type Who } from "../../shell/session";
import { DatasetForm } from "./DatasetForm";

const COLUMNS: Column<DatasetVersion>[] = [
  { key: "name", label: "Dataset", width: "minmax(160px,1.2fr)", cell: (d) => <Link to={`/datasets/${d.name}`}>{d.name}</Link> },
  { key: "latest", label: "Latest", width: "64px", cell: (d) => <span className="dim">@{d.number}</span> },
  { key: "rows", label: "Rows", width: "80px", numeric: true, cell: (d) => <span className="num">{count(d.rows)}</span> },
  { key: "labels", label: "Labels", width: "72px", numeric: true, cell: (d) => <span className="num">{count(Object.keys(d.labels).length)}</span> },
  { key: "splits", label: "Splits", width: "minmax(160px,1.4fr)", cell: (d) => <span className="dim">{splits(d)}</span> },
  { key: "source", label: "Source", width: "80px", cell: (d) => d.source },
  { key: "note", label: "Note", width: "minmax(120px,1.4fr)", cell: (d) => <span className="dim">{d.note}</span> },
  { key: "created", label: "Changed", width: "96px", cell: (d) => <Time at={d.created_at} /> },
  { key: "sha", label: "Content", width: "104px", cell: (d) => <Id value={d.sha256} /> },
];

export function splits(version: DatasetVersion): string {
  return Object.entries(version.splits)
    .filter(([name]) => name)
    .map(([name, rows]) => `${name} ${count(rows)}`)
    .join(" · ");
}

/** An import keeps the file, and makes a version of it. */
export const mayImport = (who: Who | null | undefined) => may(who, "dataset.write") && may(who, "file.write");

export function DatasetList() {
  const navigate = useNavigate();
  const who = useWho();
  const [making, setMaking] = useState(false);
  const query = $api.useInfiniteQuery("get", "/datasets", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <Page title="Datasets" flush actions={<Primary may={mayImport(who.data)} go={() => setMaking(true)}>Import a dataset</Primary>}>
      <List
        label="Datasets"
        noun="dataset"
        {...paged(query)}
        columns={COLUMNS}
        id={(d) => d.name}
        open={(d) => void navigate({ to: `/datasets/${d.name}` })}
        blank={
          <Blank
            icon="data"
            title="No datasets yet"
            text="Import chat JSONL, prompt and completion pairs, Alpaca, ShareGPT, CSV or Parquet; or collect traces by their feedback."
            code={"mainspring dataset import faq rows.jsonl\nmainspring profile create dataset/faq\nmainspring recipe run examples/docstrings.yaml dataset/faq --name faq-clean"}
          />
        }
      />
      {making && <DatasetForm close={() => setMaking(false)} done={(made) => void navigate({ to: `/datasets/${made.name}` })} />}
    </Page>
  );
}

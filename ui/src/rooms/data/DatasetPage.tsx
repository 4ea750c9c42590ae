import { useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { DatasetVersion, Row } from "../../api/types";
import { Blank, Card, Id, KeyValues, Stats, Time } from "../../kit/basics";
import { Shares } from "../../kit/chart";
import { count } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { paged, PAGES } from "../../kit/pages";
import { useNext, useVersion, VersionedPage } from "../../kit/Versioned";
import { useWho } from "../../shell/session";
import { LineageView } from "../governance/LineageView";
import { DatasetForm } from "./DatasetForm";
import { mayImport } from "./DatasetList";
import { ProfileView } from "./ProfileView";
import { RowView } from "./RowView";

const TABS = ["Overview", "Rows", "Profile", "Lineage"] as const;

export function DatasetPage() {
  const { of, one, all } = useVersion(TABS);
  const next = useNext(`/datasets/${of.name}`);
  const who = useWho();
  const query = $api.useQuery("get", "/datasets/{name}", one);
  const versions = $api.useQuery("get", "/datasets/{name}/versions", all);
  return (
    <VersionedPage
      {...of}
      crumb={{ label: "Datasets", to: "/datasets" }}
      query={query}
      versions={versions.data?.items}
      tabsLabel="Parts of the dataset"
      flush={of.tab === "Rows"}
      actions={
        query.data &&
        mayImport(who.data) && (
          <button type="button" className="btn" onClick={next.begin}>
            Import a version
          </button>
        )
      }
    >
      {(version) => (
        <>
          {of.tab === "Overview" && <Overview version={version} versions={versions.data?.items ?? []} />}
          {of.tab === "Rows" && <Rows version={version} />}
          {of.tab === "Profile" && <ProfileView reference={version.ref} />}
          {of.tab === "Lineage" && <LineageView reference={version.ref} />}
          {next.making && <DatasetForm fixed={of.name} close={next.close} done={next.done} />}
        </>
      )}
    </VersionedPage>
  );
}

function shares(counts: Record<string, number>) {
  return Object.entries(counts).map(([label, value]) => ({ label, value }));
}

function Overview({ version, versions }: { version: DatasetVersion; versions: DatasetVersion[] }) {
  const navigate = useNavigate();
  return (
    <div className="stack">
      <Stats
        items={[
          { label: "Rows", value: count(version.rows) },
          { label: "Labels", value: count(Object.keys(version.labels).length) },
          { label: "Versions", value: count(versions.length) },
          { label: "Created", value: <Time at={version.created_at} /> },
        ]}
      />
      <div className="columns">
        <div className="stack">
          <Card title="Versions" flush>
            <Table
              label="Versions"
              items={versions}
              id={(v) => v.ref}
              columns={[
                {
                  key: "n",
                  label: "Version",
                  cell: (v) => (
                    <button type="button" className="btn quiet" onClick={() => void navigate({ to: ".", search: { version: String(v.number) } as never })}>
                      {v.number}
                    </button>
                  ),
                },
                { key: "rows", label: "Rows", numeric: true, cell: (v) => count(v.rows) },
                { key: "source", label: "Source", cell: (v) => v.source },
                { key: "note", label: "Note", cell: (v) => v.note },
                { key: "at", label: "Created", cell: (v) => <Time at={v.created_at} /> },
                { key: "by", label: "By", cell: (v) => v.created_by },
              ]}
            />
          </Card>
          {Object.keys(version.labels).length > 0 && (
            <Card title="Labels">
              <Shares label="Rows by label" items={shares(version.labels)} total={version.rows} />
            </Card>
          )}
        </div>
        <div className="stack">
          <Card title="Version">
            <KeyValues
              items={[
                ["Reference", <code key="r">{version.ref}</code>],
                ["Content", <Id key="c" value={version.sha256} length={16} />],
                ["Source", version.source],
                ["By", version.created_by],
                ["Note", version.note || <span className="faint">none</span>],
              ]}
            />
          </Card>
          <Card title="Splits">
            <Shares label="Rows by split" items={shares(version.splits)} total={version.rows} />
          </Card>
          <Card title="Licences">
            <Shares label="Rows by licence" items={shares(version.licenses)} total={version.rows} />
          </Card>
        </div>
      </div>
    </div>
  );
}

const COLUMNS: Column<Row>[] = [
  { key: "id", label: "Row", width: "112px", cell: (row) => <span className="mono dim">{row.id}</span> },
  { key: "split", label: "Split", width: "80px", cell: (row) => row.split },
  { key: "label", label: "Label", width: "120px", cell: (row) => row.label },
  { key: "in", label: "Input", width: "minmax(220px,2fr)", cell: (row) => preview(row, "in") },
  { key: "out", label: "Answer", width: "minmax(160px,1.4fr)", cell: (row) => <span className="dim">{preview(row, "out")}</span> },
  { key: "group", label: "Group", width: "minmax(96px,0.8fr)", cell: (row) => <span className="dim">{row.group}</span> },
];

function preview(row: Row, side: "in" | "out"): string {
  const messages = row.messages ?? [];
  if (messages.length === 0) return side === "in" ? (row.text ?? "").slice(0, 300) : "";
  const answer = messages.at(-1)?.role === "assistant" ? messages.at(-1) : undefined;
  const shown = side === "out" ? answer : messages.filter((message) => message !== answer).at(-1);
  return (shown?.content ?? "").slice(0, 300).replace(/\s+/g, " ");
}

function Rows({ version }: { version: DatasetVersion }) {
  const [url, setUrl] = useUrl();
  const query = $api.useInfiniteQuery(
    "get",
    "/datasets/{name}/rows",
    { params: { path: { name: version.name }, query: { selector: String(version.number), limit: 200 } } },
    PAGES,
  );
  return (
    <List
      label="Rows"
      noun="row"
      {...paged(query)}
      columns={COLUMNS}
      id={(row) => row.id}
      open={(row) => setUrl({ peek: row.id })}
      selected={url.peek}
      select={(peek) => setUrl({ peek })}
      peek={(row) => <RowView row={row} />}
      peekTitle={(row) => <span className="mono">{row.id}</span>}
      blank={<Blank icon="data" title="No rows" text="This version is empty." />}
    />
  );
}

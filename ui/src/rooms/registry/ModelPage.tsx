import { useState } from "react";
import { $api } from "../../api/client";
import type { ModelVersion } from "../../api/types";
import { Blank, Card, Id, KeyValues, Snippet, Stats, Status, Time } from "../../kit/basics";
import { bytes, count, plural, short } from "../../kit/format";
import { Icon } from "../../kit/icons";
import { Table } from "../../kit/list";
import { Show } from "../../kit/page";
import { Moves, useVersion, VersionedPage } from "../../kit/Versioned";
import { RefLink } from "../../shell/RefLink";
import { LineageView } from "../governance/LineageView";
import { Facts } from "../../kit/Facts";
import { ToRelease } from "./ToRelease";

const TABS = ["Overview", "Lineage", "Chat template"] as const;

export function ModelPage() {
  const { of, one, all } = useVersion(TABS);
  const query = $api.useQuery("get", "/models/{name}", one);
  const versions = $api.useQuery("get", "/models/{name}/versions", all);
  return (
    <VersionedPage
      {...of}
      crumb={{ label: "Models", to: "/models" }}
      query={query}
      versions={versions.data?.items.map((one) => ({ number: one.number, names: one.aliases }))}
      names={query.data?.aliases}
      tabsLabel="Parts of the model"
      actions={query.data && <ToRelease model={query.data.ref} />}
    >
      {(model) => (
        <>
          {of.tab === "Overview" && <Overview model={model} />}
          {of.tab === "Lineage" && <LineageView reference={model.ref} />}
          {of.tab === "Chat template" &&
            (model.chat_template ? <Snippet code={model.chat_template} label="Copy the template" /> : <Blank icon="chat" title="No chat template" text="Messages are joined as plain text." />)}
        </>
      )}
    </VersionedPage>
  );
}

function Overview({ model }: { model: ModelVersion }) {
  return (
    <div className="stack">
      <Stats
        items={[
          { label: "Parameters", value: model.parameters ? short(model.parameters) : "–", note: model.format === "lora" ? "of the adapter" : undefined },
          { label: "Size", value: bytes(model.files.reduce((sum, file) => sum + file.size, 0)), note: plural(model.files.length, "file") },
          { label: "Context", value: model.context ? count(model.context) : "–", note: "tokens" },
          { label: "Licence", value: model.license || "unknown" },
          { label: "Created", value: <Time at={model.created_at} /> },
        ]}
      />
      <div className="columns">
        <div className="stack">
          <Files model={model} />
          {model.metadata && Object.keys(model.metadata).length > 0 && (
            <Card title="How it was made">
              <Facts value={model.metadata} />
            </Card>
          )}
        </div>
        <div className="stack">
          <Card title="Version">
            <KeyValues
              items={[
                ["Reference", <code key="r">{model.ref}</code>],
                ["Content", <Id key="c" value={model.sha256} length={16} />],
                ["Format", model.format],
                ["Architecture", model.architecture || <span className="faint">unknown</span>],
                ["Base", model.base ? <RefLink key="b" value={model.base} /> : <span className="faint">none</span>],
                ["By", model.created_by],
                ["Note", model.note || <span className="faint">none</span>],
              ]}
            />
          </Card>
          <Aliases name={model.name} />
        </div>
      </div>
    </div>
  );
}

function Files({ model }: { model: ModelVersion }) {
  const [asked, setAsked] = useState(false);
  const check = $api.useQuery(
    "get",
    "/models/{name}/verify",
    { params: { path: { name: model.name }, query: { selector: String(model.number) } } },
    { enabled: asked, staleTime: 60_000 },
  );
  const result = new Map(check.data?.files.map((file) => [file.path, file]));
  return (
    <Card
      title="Files"
      flush
      actions={
        check.data ? (
          <Status state={check.data.verified ? "verified" : "failed"} label={check.data.verified ? "every file verified" : "a file differs"} />
        ) : (
          <button type="button" className="btn" disabled={asked} onClick={() => setAsked(true)}>
            <Icon name="check" size={14} /> {asked ? "Reading every byte…" : "Verify"}
          </button>
        )
      }
    >
      <Table
        label="Files"
        items={model.files}
        id={(file) => file.path}
        columns={[
          { key: "path", label: "Path", cell: (file) => <code>{file.path}</code> },
          { key: "role", label: "Role", cell: (file) => file.role },
          { key: "size", label: "Size", numeric: true, cell: (file) => bytes(file.size) },
          { key: "sha", label: "SHA-256", cell: (file) => <Id value={file.sha256} length={16} /> },
          {
            key: "ok",
            label: "Verified",
            cell: (file) => {
              const checked = result.get(file.path);
              return checked ? <Status state={checked.ok ? "ok" : "failed"} label={checked.ok ? "same" : checked.reason} /> : <span className="faint">–</span>;
            },
          },
          {
            key: "get",
            label: "Download",
            cell: (file) => (
              <a className="link" href={`/api/v1/files/${file.sha256}`} download={file.path.split("/").at(-1)}>
                download
              </a>
            ),
          },
        ]}
      />
    </Card>
  );
}

function Aliases({ name }: { name: string }) {
  const query = $api.useQuery("get", "/models/{name}/history", { params: { path: { name }, query: { limit: 50 } } });
  return (
    <Card title="Aliases" flush>
      <Show query={query} lines={2}>
        {(page) =>
          page.items.length === 0 ? (
            <Blank small icon="model" title="No alias was ever set" code={`mainspring model alias ${name} production --number 1`} />
          ) : (
            <Moves moves={page.items} label="Moves of aliases" noun="Alias" />
          )
        }
      </Show>
    </Card>
  );
}

import { useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { ModelVersion } from "../../api/types";
import { Blank, Id, Time } from "../../kit/basics";
import { bytes, NONE, short } from "../../kit/format";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";

const COLUMNS: Column<ModelVersion>[] = [
  { key: "name", label: "Model", width: "minmax(160px,1.2fr)", cell: (m) => m.name },
  { key: "latest", label: "Latest", width: "64px", cell: (m) => <span className="dim">@{m.number}</span> },
  { key: "aliases", label: "Aliases", width: "minmax(96px,1fr)", cell: (m) => m.aliases?.map((alias) => <span key={alias} className="tag">{alias}</span>) },
  { key: "format", label: "Format", width: "96px", cell: (m) => m.format },
  { key: "base", label: "Base", width: "minmax(120px,1fr)", cell: (m) => <span className="dim">{m.base?.replace("model/", "")}</span> },
  { key: "parameters", label: "Parameters", width: "88px", numeric: true, cell: (m) => <span className="num">{m.parameters ? short(m.parameters) : "–"}</span> },
  { key: "size", label: "Size", width: "72px", numeric: true, cell: (m) => <span className="num">{m.files.length ? bytes(m.files.reduce((sum, file) => sum + file.size, 0)) : NONE}</span> },
  { key: "license", label: "Licence", width: "112px", cell: (m) => m.license || <span className="faint">unknown</span> },
  { key: "created", label: "Changed", width: "96px", cell: (m) => <Time at={m.created_at} /> },
  { key: "sha", label: "Content", width: "104px", cell: (m) => <Id value={m.sha256} /> },
];

export function ModelList() {
  const navigate = useNavigate();
  const query = $api.useInfiniteQuery("get", "/models", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <Page title="Models" flush>
      <List
        label="Models"
        noun="model"
        {...paged(query)}
        columns={COLUMNS}
        id={(m) => m.name}
        open={(m) => void navigate({ to: `/models/${m.name}` })}
        blank={
          <Blank
            icon="model"
            title="No models yet"
            text="Pull a small model that runs on a CPU, import a GGUF file or an adapter, or tune one here."
            code={"mainspring model pull smollm2\nmainspring model import mine model.gguf --license Apache-2.0"}
          />
        }
      />
    </Page>
  );
}

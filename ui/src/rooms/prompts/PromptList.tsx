import { Link, useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { PromptSummary } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";

const COLUMNS: Column<PromptSummary>[] = [
  { key: "name", label: "Prompt", width: "minmax(180px,1fr)", cell: (p) => p.name },
  { key: "latest", label: "Latest", width: "64px", cell: (p) => <span className="dim">@{p.latest}</span> },
  {
    key: "labels",
    label: "Labels",
    width: "minmax(200px,1.4fr)",
    cell: (p) =>
      Object.entries(p.labels).map(([label, number]) => (
        <span key={label} className="tag" style={{ marginRight: 6 }}>
          {label} @{number}
        </span>
      )),
  },
  { key: "at", label: "Changed", width: "96px", cell: (p) => <Time at={p.updated_at} /> },
  { key: "by", label: "By", width: "120px", cell: (p) => p.updated_by },
];

export function PromptList() {
  const navigate = useNavigate();
  const query = $api.useInfiniteQuery("get", "/prompts", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <Page title="Prompts" flush>
      <List
        label="Prompts"
        noun="prompt"
        {...paged(query)}
        columns={COLUMNS}
        id={(p) => p.name}
        open={(p) => void navigate({ to: `/prompts/${p.name}` })}
        blank={
          <Blank
            icon="prompt"
            title="No prompts yet"
            text="A prompt is a versioned chat template with variables, a response schema and labels such as production."
            code={`mainspring prompt commit docs \\\n  '[{"role": "user", "content": "Summarise: {{text}}"}]'\nmainspring prompt label docs production`}
            actions={<Link to="/playground" className="btn">Write one in the playground</Link>}
          />
        }
      />
    </Page>
  );
}

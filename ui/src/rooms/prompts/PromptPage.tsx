import { useParams } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { AliasMove, PromptVersion } from "../../api/types";
import { Blank, Card, Id, KeyValues, Snippet, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { VersionPick } from "../../kit/VersionPick";
import { LineageView } from "../governance/LineageView";

const TABS = ["Template", "Changes", "Lineage"] as const;

export function PromptPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const [url] = useUrl();
  const tab = useTab(TABS);
  const query = $api.useQuery("get", "/prompts/{name}", { params: { path: { name }, query: { selector: url.version ?? "" } } });
  const versions = $api.useQuery("get", "/prompts/{name}/versions", { params: { path: { name }, query: { limit: 200 } } });
  return (
    <Page
      title={name}
      crumbs={[{ label: "Prompts", to: "/prompts" }]}
      badge={
        <>
          <VersionPick versions={versions.data?.items.map((one) => ({ number: one.number, names: one.labels }))} current={query.data?.number} />
          {query.data?.labels?.map((label) => (
            <span key={label} className="tag">
              {label}
            </span>
          ))}
        </>
      }
      tabs={<Tabs tabs={TABS} label="Parts of the prompt" current={tab} />}
    >
      <Show query={query}>
        {(prompt) => (
          <>
            {tab === "Template" && <Template prompt={prompt} />}
            {tab === "Changes" && <Changes prompt={prompt} />}
            {tab === "Lineage" && <LineageView reference={prompt.ref} />}
          </>
        )}
      </Show>
    </Page>
  );
}

/** The text with its variables marked. */
function Marked({ text }: { text: string }) {
  return (
    <p>
      {text.split(/({{[^{}]*}})/).map((part, index) => (part.startsWith("{{") ? <mark key={index}>{part}</mark> : part))}
    </p>
  );
}

function Template({ prompt }: { prompt: PromptVersion }) {
  const variables = Object.entries(prompt.variables);
  return (
    <div className="columns">
      <div className="stack">
        <Card title="Messages">
          <div className="stack tight">
            {prompt.messages.map((message, index) => (
              <article key={index} className={`message ${message.role}`}>
                <header>{message.role}</header>
                <Marked text={message.content} />
              </article>
            ))}
          </div>
        </Card>
        {prompt.response_schema && (
          <Card title="Response schema">
            <Snippet code={JSON.stringify(prompt.response_schema, null, 2)} label="Copy the schema" />
          </Card>
        )}
      </div>
      <div className="stack">
        <Card title="Version">
          <KeyValues
            items={[
              ["Reference", <code key="r">{prompt.ref}</code>],
              ["Content", <Id key="c" value={prompt.sha256} length={16} />],
              ["Created", <Time key="t" at={prompt.created_at} />],
              ["By", prompt.created_by],
              ["Note", prompt.note || <span className="faint">none</span>],
            ]}
          />
        </Card>
        <Card title="Variables">
          {variables.length ? (
            <KeyValues items={variables.map(([name, variable]) => [name, `${variable.type ?? "text"}${variable.default == null ? ", required" : ""}`])} />
          ) : (
            <span className="faint">none</span>
          )}
        </Card>
        <Card title="Parameters">
          <Facts value={prompt.parameters} />
        </Card>
        <Labels name={prompt.name} />
      </div>
    </div>
  );
}

function Labels({ name }: { name: string }) {
  const query = $api.useQuery("get", "/prompts/{name}/history", { params: { path: { name }, query: { limit: 50 } } });
  return (
    <Card title="Labels" flush>
      <Show query={query} lines={2}>
        {(page) =>
          page.items.length === 0 ? (
            <Blank small icon="prompt" title="No label was ever set" code={`mainspring prompt label ${name} production`} />
          ) : (
            <Table<AliasMove>
              label="Moves of labels"
              items={page.items}
              id={(move) => `${move.alias}${move.moved_at}`}
              columns={[
                { key: "label", label: "Label", cell: (move) => <span className="tag">{move.alias}</span> },
                { key: "to", label: "To", cell: (move) => (move.number == null ? "removed" : `@${move.number}`) },
                { key: "at", label: "When", cell: (move) => <Time at={move.moved_at} /> },
                { key: "by", label: "By", cell: (move) => move.moved_by },
              ]}
            />
          )
        }
      </Show>
    </Card>
  );
}

function Changes({ prompt }: { prompt: PromptVersion }) {
  const query = $api.useQuery(
    "get",
    "/prompts/{name}/diff",
    { params: { path: { name: prompt.name }, query: { left: String(prompt.number - 1), right: String(prompt.number) } } },
    { enabled: prompt.number > 1 },
  );
  if (prompt.number === 1) return <Blank icon="prompt" title="This is the first version" />;
  return (
    <Show query={query}>
      {(diff) => (
        <pre className="code diff" tabIndex={0} aria-label={`Changes from ${diff.left} to ${diff.right}`}>
          {diff.lines.map((line, index) => (
            <span key={index} className={line.startsWith("+") ? "add" : line.startsWith("-") ? "cut-out" : undefined}>
              {line}
              {"\n"}
            </span>
          ))}
        </pre>
      )}
    </Show>
  );
}

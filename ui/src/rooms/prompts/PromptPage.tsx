import { Link } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { PromptVersion } from "../../api/types";
import { Card, Id, KeyValues, Snippet, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { Icon } from "../../kit/icons";
import { useVersion, VersionedPage } from "../../kit/Versioned";
import { RefLink } from "../../shell/RefLink";
import { LineageView } from "../governance/LineageView";
import { ToRelease } from "../registry/ToRelease";
import { Changes } from "./Changes";
import { Labels } from "./Labels";
import { Metrics } from "./Metrics";

const TABS = ["Template", "Changes", "Labels", "Metrics", "Lineage"] as const;

export function PromptPage() {
  const { of, one, all } = useVersion(TABS);
  const query = $api.useQuery("get", "/prompts/{name}", one);
  const versions = $api.useQuery("get", "/prompts/{name}/versions", all);
  return (
    <VersionedPage
      {...of}
      crumb={{ label: "Prompts", to: "/prompts" }}
      query={query}
      versions={versions.data?.items.map((one) => ({ number: one.number, names: one.labels }))}
      names={query.data?.labels}
      tabsLabel="Parts of the prompt"
      actions={
        query.data && (
          <>
            <ToRelease prompt={query.data.ref} />
            <Link className="btn" to="/playground" search={{ prompt: query.data.ref } as never}>
              <Icon name="tool" size={14} /> Open in playground
            </Link>
          </>
        )
      }
    >
      {(prompt) => (
        <>
          {of.tab === "Template" && <Template prompt={prompt} />}
          {of.tab === "Changes" && <Changes prompt={prompt} versions={versions.data?.items.map((one) => one.number) ?? []} />}
          {of.tab === "Labels" && <Labels prompt={prompt} />}
          {of.tab === "Metrics" && <Metrics name={prompt.name} />}
          {of.tab === "Lineage" && <LineageView reference={prompt.ref} />}
        </>
      )}
    </VersionedPage>
  );
}

/** The text with its variables, and where there are blocks its tags, marked. */
function Marked({ text, blocks }: { text: string; blocks?: boolean }) {
  const parts = text.split(blocks ? /({{[^{}]*}}|{%[^%]*%})/ : /({{[^{}]*}})/);
  return <p>{parts.map((part, index) => (/^{[{%]/.test(part) ? <mark key={index}>{part}</mark> : part))}</p>;
}

function Template({ prompt }: { prompt: PromptVersion }) {
  const variables = Object.entries(prompt.variables);
  const includes = Object.entries(prompt.includes ?? {});
  return (
    <div className="columns">
      <div className="stack">
        <Card title={prompt.kind === "text" ? "Text" : "Messages"}>
          <div className="stack tight">
            {prompt.messages.map((message, index) => (
              <article key={index} className={`message ${message.role}`}>
                {prompt.kind !== "text" && <header>{message.role}</header>}
                <Marked text={message.content} blocks={prompt.blocks} />
              </article>
            ))}
          </div>
        </Card>
        {includes.length > 0 && (
          <Card title="Includes">
            <div className="stack tight">
              {includes.map(([ref, held]) => (
                <article key={ref} className="message">
                  <header>
                    <RefLink value={ref} />
                  </header>
                  <Marked text={held.text} blocks={held.blocks} />
                </article>
              ))}
            </div>
          </Card>
        )}
        {(prompt.tools?.length ?? 0) > 0 && (
          <Card title="Tools">
            <Snippet code={JSON.stringify(prompt.tools, null, 2)} label="Copy the tools" />
          </Card>
        )}
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
            <KeyValues
              items={variables.map(([name, variable]) => [
                name,
                <span key={name}>
                  {variable.type ?? "text"}
                  {variable.default != null ? `, default ${JSON.stringify(variable.default)}` : variable.required === false ? ", optional" : ", required"}
                  {variable.description && <span className="faint"> · {variable.description}</span>}
                </span>,
              ])}
            />
          ) : (
            <span className="faint">none</span>
          )}
        </Card>
        <Card title="Parameters">
          <Facts value={prompt.parameters} />
        </Card>
      </div>
    </div>
  );
}

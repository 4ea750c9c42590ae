import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Experiment, Suite } from "../../api/types";
import { Blank, Card, Id, KeyValues, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { Show } from "../../kit/page";
import { useTab } from "../../kit/Tabs";
import { VersionedPage } from "../../kit/Versioned";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { amount, bare, headline, nameOf } from "./figures";
import { SuiteForm } from "./SuiteForm";

const TABS = ["Suite", "Versions"] as const;

/** One suite: its rows, its scorers and its settings, the experiments over it, and its versions. */
export function SuitePage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const who = useWho();
  const navigate = useNavigate();
  const [url] = useUrl();
  const tab = useTab(TABS);
  const [editing, setEditing] = useState(false);
  const query = $api.useQuery("get", "/suites/{name}", { params: { path: { name }, query: { selector: url.version ?? "" } } });
  const versions = $api.useQuery("get", "/suites/{name}/versions", { params: { path: { name }, query: { limit: 200 } } });
  return (
    <VersionedPage
      name={name}
      crumb={{ label: "Suites", to: "/suites" }}
      query={query}
      versions={versions.data?.items}
      tabs={TABS}
      tab={tab}
      tabsLabel="Parts of the suite"
      actions={
        query.data && (
          <>
            {may(who.data, "suite.write") && (
              <button type="button" className="btn" onClick={() => setEditing(true)}>
                Create a version
              </button>
            )}
            {may(who.data, "experiment.write") && (
              <Link className="btn primary" to="/experiments" search={{ new: "1", suite: query.data.ref } as never}>
                Run an experiment
              </Link>
            )}
          </>
        )
      }
    >
      {(suite) => (
        <>
          {tab === "Suite" && <Whole suite={suite} />}
          {tab === "Versions" && <Versions items={versions.data?.items ?? []} />}
          {editing && <SuiteForm suite={suite} close={() => setEditing(false)} done={(made) => void navigate({ to: `/suites/${made.name}`, search: {} as never })} />}
        </>
      )}
    </VersionedPage>
  );
}

function Whole({ suite }: { suite: Suite }) {
  return (
    <div className="columns">
      <div className="stack">
        <Over suite={suite} />
      </div>
      <div className="stack">
        <Card title="What is asked">
          <KeyValues
            items={[
              ["Reference", <Id key="r" value={suite.ref} full />],
              ["Rows", <RefLink key="d" value={suite.dataset} />],
              ["Split", suite.split || "all"],
              ["Scorers", suite.scorers.join(", ")],
              ["Note", suite.note || <span className="faint">none</span>],
              ["Made", <span key="m"><Time at={suite.created_at} /> by {suite.created_by}</span>],
            ]}
          />
        </Card>
        <Card title="Settings">
          <Facts value={suite.settings} />
        </Card>
      </div>
    </div>
  );
}

/** The latest experiments over this version, each with its first figures. */
function Over({ suite }: { suite: Suite }) {
  const query = $api.useQuery("get", "/experiments", { params: { query: { suite: suite.ref, limit: 20 } } });
  return (
    <Card
      title="Latest experiments"
      flush
      actions={
        <Link className="link" to="/experiments" search={{ suite: suite.ref } as never}>
          All
        </Link>
      }
    >
      <Show query={query} lines={4}>
        {(page) =>
          page.items.length === 0 ? (
            <Blank small icon="experiment" title="No experiment over this version yet" />
          ) : (
            <Table<Experiment>
              label="Latest experiments"
              items={page.items}
              id={(one) => one.id}
              columns={[
                { key: "name", label: "Experiment", cell: (one) => <Link className="link" to={`/experiments/${one.id}`}>{nameOf(one)}</Link> },
                { key: "target", label: "Target", cell: (one) => <span className="dim">{bare(one.target)}</span> },
                { key: "figures", label: "Figures", cell: (one) => headline(one.figures, 3).map((figure) => `${figure.metric} ${amount(figure.value, figure.unit)}`).join(", ") || "–" },
                { key: "at", label: "When", cell: (one) => <Time at={one.created_at} /> },
              ]}
            />
          )
        }
      </Show>
    </Card>
  );
}

function Versions({ items }: { items: Suite[] }) {
  const [, setUrl] = useUrl();
  return (
    <Card title="Versions" flush>
      <Table<Suite>
        label="Versions"
        items={items}
        id={(one) => one.ref}
        columns={[
          { key: "n", label: "Version", cell: (one) => <button type="button" className="link-like" onClick={() => setUrl({ version: String(one.number), tab: undefined }, true)}>{one.ref}</button> },
          { key: "rows", label: "Rows", cell: (one) => `${bare(one.dataset)} ${one.split || "all"}` },
          { key: "scorers", label: "Scorers", cell: (one) => one.scorers.join(", ") },
          { key: "note", label: "Note", cell: (one) => one.note || <span className="faint">–</span> },
          { key: "by", label: "By", cell: (one) => one.created_by },
          { key: "at", label: "When", cell: (one) => <Time at={one.created_at} /> },
        ]}
      />
    </Card>
  );
}

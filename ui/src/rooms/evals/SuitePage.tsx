import { Link } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Experiment, Suite } from "../../api/types";
import { Blank, Card, Id, KeyValues, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { Table, type Column } from "../../kit/list";
import { Show } from "../../kit/page";
import { madeOf, useNext, useVersion, VersionedPage, Versions } from "../../kit/Versioned";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { amount, bare, headline, nameOf } from "./figures";
import { SuiteForm } from "./SuiteForm";

const TABS = ["Suite", "Versions"] as const;

const TOLD: Omit<Column<Suite>, "width">[] = [
  { key: "rows", label: "Rows", cell: (one) => `${bare(one.dataset)} ${one.split || "all"}` },
  { key: "scorers", label: "Scorers", cell: (one) => one.scorers.join(", ") },
];

/** One suite: its rows, its scorers and its settings, the experiments over it, and its versions. */
export function SuitePage() {
  const who = useWho();
  const { of, one, all } = useVersion(TABS);
  const next = useNext(`/suites/${of.name}`);
  const query = $api.useQuery("get", "/suites/{name}", one);
  const versions = $api.useQuery("get", "/suites/{name}/versions", all);
  return (
    <VersionedPage
      {...of}
      crumb={{ label: "Suites", to: "/suites" }}
      query={query}
      versions={versions.data?.items}
      tabsLabel="Parts of the suite"
      actions={
        query.data && (
          <>
            {may(who.data, "suite.write") && (
              <button type="button" className="btn" onClick={next.begin}>
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
          {of.tab === "Suite" && <Whole suite={suite} />}
          {of.tab === "Versions" && <Versions items={versions.data?.items} told={TOLD} />}
          {next.making && <SuiteForm suite={suite} close={next.close} done={next.done} />}
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
              ...madeOf(suite),
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

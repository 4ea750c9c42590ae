import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { GuardVersion } from "../../api/types";
import { Card, Id, KeyValues, Snippet, Time } from "../../kit/basics";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { useTab } from "../../kit/Tabs";
import { VersionedPage } from "../../kit/Versioned";
import { may, useWho } from "../../shell/session";
import { LineageView } from "../governance/LineageView";
import { Strongest } from "./GuardList";
import { Hits } from "./Hits";
import { PolicyForm } from "./PolicyForm";
import { RuleTable } from "./RuleTable";
import { TestBox } from "./TestBox";

const TABS = ["Policy", "Hits", "Test", "Versions", "Lineage"] as const;

/** One guard policy: its rules, what they found in the traffic, a box to try it in, its versions, and what pins it. */
export function GuardPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const who = useWho();
  const navigate = useNavigate();
  const [url] = useUrl();
  const tab = useTab(TABS);
  const [editing, setEditing] = useState(false);
  const query = $api.useQuery("get", "/guards/{name}", { params: { path: { name }, query: { selector: url.version ?? "" } } });
  const versions = $api.useQuery("get", "/guards/{name}/versions", { params: { path: { name }, query: { limit: 200 } } });
  return (
    <VersionedPage
      name={name}
      crumb={{ label: "Guards", to: "/guards" }}
      query={query}
      versions={versions.data?.items}
      tabs={TABS}
      tab={tab}
      tabsLabel="Parts of the policy"
      actions={
        query.data &&
        may(who.data, "guard.write") && (
          <button type="button" className="btn primary" onClick={() => setEditing(true)}>
            Create a version
          </button>
        )
      }
    >
      {(guard) => (
        <>
          {tab === "Policy" && <Policy guard={guard} />}
          {tab === "Hits" && <Hits name={guard.name} />}
          {tab === "Test" && <TestBox key={guard.ref} guard={guard} />}
          {tab === "Versions" && <Versions items={versions.data?.items ?? []} />}
          {tab === "Lineage" && <LineageView reference={guard.ref} />}
          {editing && <PolicyForm guard={guard} close={() => setEditing(false)} done={(made) => void navigate({ to: `/guards/${made.name}`, search: {} as never })} />}
        </>
      )}
    </VersionedPage>
  );
}

function Policy({ guard }: { guard: GuardVersion }) {
  return (
    <div className="columns">
      <Card title="Rules" flush>
        <RuleTable rules={guard.policy.rules ?? []} />
      </Card>
      <div className="stack">
        <Card title="Policy">
          <KeyValues
            items={[
              ["Reference", <Id key="r" value={guard.ref} full />],
              ["At most", <Strongest key="s" guard={guard} />],
              ["What is told", guard.policy.message ?? ""],
              ["Note", guard.note || <span className="faint">none</span>],
              ["Made", <span key="m"><Time at={guard.created_at} /> by {guard.created_by}</span>],
            ]}
          />
        </Card>
        <Card title="Pin it to a release">
          <Snippet code={`mainspring release create answers \\\n  --model model/… --guard ${guard.ref}`} />
        </Card>
      </div>
    </div>
  );
}

function Versions({ items }: { items: GuardVersion[] }) {
  const [, setUrl] = useUrl();
  return (
    <Card title="Versions" flush>
      <Table<GuardVersion>
        label="Versions"
        items={items}
        id={(one) => one.ref}
        columns={[
          { key: "n", label: "Version", cell: (one) => <button type="button" className="link-like" onClick={() => setUrl({ version: String(one.number), tab: undefined }, true)}>{one.ref}</button> },
          { key: "rules", label: "Rules", cell: (one) => (one.policy.rules ?? []).map((rule) => `${rule.detector} ${rule.action ?? "log"}`).join(", ") || "none" },
          { key: "note", label: "Note", cell: (one) => one.note || <span className="faint">–</span> },
          { key: "by", label: "By", cell: (one) => one.created_by },
          { key: "at", label: "When", cell: (one) => <Time at={one.created_at} /> },
        ]}
      />
    </Card>
  );
}

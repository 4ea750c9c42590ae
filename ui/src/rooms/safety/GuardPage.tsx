import { $api } from "../../api/client";
import type { GuardVersion } from "../../api/types";
import { Card, Id, KeyValues, Snippet } from "../../kit/basics";
import type { Column } from "../../kit/list";
import { madeOf, useNext, useVersion, VersionedPage, Versions } from "../../kit/Versioned";
import { may, useWho } from "../../shell/session";
import { LineageView } from "../governance/LineageView";
import { inWords, Strongest } from "./GuardList";
import { Hits } from "./Hits";
import { PolicyForm } from "./PolicyForm";
import { RuleTable } from "./RuleTable";
import { TestBox } from "./TestBox";

const TABS = ["Policy", "Hits", "Test", "Versions", "Lineage"] as const;

const TOLD: Omit<Column<GuardVersion>, "width">[] = [{ key: "rules", label: "Rules", cell: inWords }];

/** One guard policy: its rules, what they found in the traffic, a box to try it in, its versions, and what pins it. */
export function GuardPage() {
  const who = useWho();
  const { of, one, all } = useVersion(TABS);
  const next = useNext(`/guards/${of.name}`);
  const query = $api.useQuery("get", "/guards/{name}", one);
  const versions = $api.useQuery("get", "/guards/{name}/versions", all);
  return (
    <VersionedPage
      {...of}
      crumb={{ label: "Guards", to: "/guards" }}
      query={query}
      versions={versions.data?.items}
      tabsLabel="Parts of the policy"
      actions={
        query.data &&
        may(who.data, "guard.write") && (
          <button type="button" className="btn primary" onClick={next.begin}>
            Create a version
          </button>
        )
      }
    >
      {(guard) => (
        <>
          {of.tab === "Policy" && <Policy guard={guard} />}
          {of.tab === "Hits" && <Hits name={guard.name} />}
          {of.tab === "Test" && <TestBox key={guard.ref} guard={guard} />}
          {of.tab === "Versions" && <Versions items={versions.data?.items} told={TOLD} />}
          {of.tab === "Lineage" && <LineageView reference={guard.ref} />}
          {next.making && <PolicyForm guard={guard} close={next.close} done={next.done} />}
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
              ...madeOf(guard),
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

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { GuardVersion } from "../../api/types";
import { Blank, KeyValues, Status, Time } from "../../kit/basics";
import { Filters, holds, Words } from "../../kit/filters";
import { plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { keptColumns } from "../../kit/Versioned";
import { may, useWho } from "../../shell/session";
import { PolicyForm } from "./PolicyForm";
import { RuleTable } from "./RuleTable";
import { strongest } from "./rules";

const rules = (guard: GuardVersion) => guard.policy.rules ?? [];

/** The rules of a policy in a line. */
export const inWords = (guard: GuardVersion) => rules(guard).map((rule) => `${rule.detector} ${rule.action ?? "log"}`).join(", ") || "none";

const COLUMNS = keptColumns<GuardVersion>("Policy", [
  { key: "strongest", label: "At most", width: "88px", cell: (g) => <Strongest guard={g} /> },
  { key: "rules", label: "Rules", width: "minmax(220px,2fr)", cell: (g) => <span className="dim">{inWords(g)}</span> },
]);

export function Strongest({ guard }: { guard: GuardVersion }) {
  const action = strongest(rules(guard));
  return action ? <Status state={action} /> : <span className="dim">nothing</span>;
}

/** Guard policies, which releases pin: what is looked for, on which side of the model, and what is done about it. */
export function GuardList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const [making, setMaking] = useState(false);
  const query = $api.useInfiniteQuery("get", "/guards", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <Page
      title="Guards"
      flush
      actions={<Primary may={may(who.data, "guard.write")} go={() => setMaking(true)}>Create a policy</Primary>}
    >
      <Filters>
        <Words placeholder="Name, note or detector" />
      </Filters>
      <List
        label="Guard policies"
        noun="policy"
        many="policies"
        {...paged(query, (one) => holds(url.q, one.name, one.note, ...rules(one).map((rule) => rule.detector)))}
        columns={COLUMNS}
        id={(one) => one.name}
        open={(one) => void navigate({ to: `/guards/${one.name}` })}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(one) => one.ref}
        peek={(one) => (
          <div className="stack">
            <KeyValues
              items={[
                ["Rules", plural(rules(one).length, "rule")],
                ["What is told", one.policy.message ?? ""],
                ["Note", one.note || <span className="dim">none</span>],
                ["Made", <span key="m"><Time at={one.created_at} /> by {one.created_by}</span>],
              ]}
            />
            <RuleTable rules={rules(one)} />
          </div>
        )}
        blank={
          <Blank
            icon="guard"
            narrowed={Boolean(url.q) && "No policy matches"}
            title="No guard policies yet"
            text="A policy looks for personal data, secrets, injection and more on the way in and out, and logs, masks or blocks. A release pins it, so whoever calls the deployment is guarded."
            code={`mainspring guard create usual '[{"detector": "pii", "action": "mask"},\n  {"detector": "injection", "action": "block"}]'\nmainspring guard test guard/usual "Write to someone@example.org"`}
          />
        }
      />
      {making && <PolicyForm close={() => setMaking(false)} done={(made) => void navigate({ to: `/guards/${made.name}` })} />}
    </Page>
  );
}

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import { Card, Time } from "../../kit/basics";
import { Table } from "../../kit/list";
import { Meter } from "../../kit/Meter";
import { may, useWho } from "../../shell/session";
import { SetAllowance } from "./SetAllowance";
import { asBudget, left, words, type Allowance, type Scope } from "./allowances";

/** The budgets and limits of a key, a member or an environment. */
export function AllowancesOf({ scope, name }: { scope: Scope; name: string }) {
  const who = useWho();
  const [setting, setSetting] = useState(false);
  const enabled = may(who.data, "budget.read");
  const params = { params: { query: { scope, name, limit: 20 } } };
  const budgets = $api.useQuery("get", "/budgets", params, { enabled });
  const limits = $api.useQuery("get", "/limits", params, { enabled });
  const items = [...(budgets.data?.items.map(asBudget) ?? []), ...(limits.data?.items ?? [])];
  return (
    <Card
      title="Budgets and limits"
      flush
      actions={
        may(who.data, "budget.write") && (
          <button type="button" className="btn quiet" onClick={() => setSetting(true)}>
            Set one
          </button>
        )
      }
    >
      {items.length === 0 ? (
        <p className="inner dim">{budgets.isLoading || limits.isLoading ? "Looking…" : "None of its own; those of the project hold for it too."}</p>
      ) : (
        <Table<Allowance>
          label="Budgets and limits"
          items={items}
          id={(one) => one.id}
          columns={[
            { key: "amount", label: "Amount", cell: (one) => <Link className="link" to="/budgets" search={{ tab: one.measure === "money" ? undefined : "Limits", peek: one.id } as never}>{`${words(one.measure, true)(one.amount)} a ${one.per}`}</Link> },
            { key: "bar", label: "Used", cell: (one) => <Meter used={one} label={`a ${one.per}`} words={words(one.measure, true)} /> },
            { key: "left", label: "Left", numeric: true, cell: (one) => words(one.measure)(left(one)) },
            { key: "resets", label: "Anew", cell: (one) => <Time at={one.resets_at} /> },
          ]}
        />
      )}
      {setting && <SetAllowance close={() => setSetting(false)} first={{ scope, name }} />}
    </Card>
  );
}

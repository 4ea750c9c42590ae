import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import { Blank, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { Choose, Filters, holds, Words } from "../../kit/filters";
import { percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Meter, standing, usedShare } from "../../kit/Meter";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { useKeyNames } from "../workspace/keys";
import { asBudget, left, SCOPES, words, type Allowance, type Scope } from "./allowances";
import { SetAllowance } from "./SetAllowance";

const TABS = ["Budgets", "Limits"] as const;
const STANDING = { ok: ["ok", "within"], warn: ["warn", "nearly spent"], spent: ["blocked", "spent"] } as const;

function Standing({ one }: { one: Allowance }) {
  const [state, label] = STANDING[standing(one)];
  return <Status state={state} label={label} />;
}

/** Budgets in money and limits of requests and tokens: what is spent, held and left in the present window. */
export function BudgetList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const tab = useTab(TABS);
  const [setting, setSetting] = useState(false);
  const keyName = useKeyNames();
  const scope = SCOPES.find((one) => one === url.scope);
  const options = { ...PAGES, refetchInterval: 5_000 } as const;
  const params = { params: { query: { scope, name: url.name, limit: 100 } } };
  const budgets = $api.useInfiniteQuery("get", "/budgets", params, { ...options, enabled: tab === "Budgets" });
  const limits = $api.useInfiniteQuery("get", "/limits", params, { ...options, enabled: tab === "Limits" });
  const query = tab === "Budgets" ? budgets : limits;
  const all: Allowance[] | undefined = tab === "Budgets" ? budgets.data?.pages.flatMap((page) => page.items.map(asBudget)) : limits.data?.pages.flatMap((page) => page.items);
  const whose = (one: Allowance) => (one.scope === "key" ? keyName(one.name) : one.name || "the whole project");
  const items = all?.filter((one) => holds(url.q, whose(one), one.scope, one.per)).filter((one) => !url.standing || standing(one) === url.standing);
  const noun = tab === "Budgets" ? "budget" : "limit";
  return (
    <Page
      title="Budgets and limits"
      flush
      actions={<Primary may={may(who.data, "budget.write")} go={() => setSetting(true)}>Set a {noun}</Primary>}
      tabs={<Tabs tabs={TABS} label="Kinds of allowances" current={tab} />}
    >
      <Filters>
        <Words placeholder="Whose" />
        <Choose name="scope" label="For" any="For anybody" choices={SCOPES} />
        <Choose name="standing" label="Standing" any="Any standing" choices={[{ value: "ok", label: "within" }, { value: "warn", label: "nearly spent" }, { value: "spent", label: "spent" }]} />
      </Filters>
      <List
        label={tab}
        noun={noun}
        {...paged(query)}
        items={items}
        columns={columns(whose)}
        id={(one) => one.id}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(one) => `${words(one.measure, true)(one.amount)} a ${one.per}`}
        peek={(one) => <Detail key={one.id} one={one} whose={whose(one)} writes={may(who.data, "budget.write")} />}
        blank={
          <Blank
            icon="budget"
            narrowed={Boolean(url.q || url.scope || url.standing) && `No ${noun} matches`}
            title={`No ${noun}s yet`}
            text={
              tab === "Budgets"
                ? "A budget is what the project, an environment, a member or a key may spend in each day or month. Calls reserve before they are made, so it is never exceeded."
                : "A limit is how many requests or tokens somebody may use in each minute, hour, day or month."
            }
            code={tab === "Budgets" ? "mainspring budget set 500 --per month\nmainspring budget set 20 --per day --member grace" : "mainspring limit set 600 --per minute\nmainspring limit set 200000 --measure tokens --per day --member grace"}
          />
        }
      />
      {setting && <SetAllowance close={() => setSetting(false)} first={tab === "Budgets" ? {} : { measure: "requests", per: "minute" }} />}
    </Page>
  );
}

function columns(whose: (one: Allowance) => string): Column<Allowance>[] {
  return [
    { key: "standing", label: "Standing", width: "116px", cell: (one) => <Standing one={one} /> },
    { key: "scope", label: "For", width: "96px", cell: (one) => <span className="dim">{one.scope}</span> },
    { key: "whose", label: "Whose", width: "minmax(160px,1.4fr)", cell: whose },
    { key: "used", label: "Spent and held", width: "minmax(120px,1fr)", cell: (one) => <Meter used={one} label={whose(one)} words={words(one.measure, true)} /> },
    { key: "amount", label: "Amount", width: "140px", numeric: true, cell: (one) => <span className="num">{words(one.measure, true)(one.amount)}</span> },
    { key: "per", label: "Each", width: "56px", cell: (one) => one.per },
    { key: "share", label: "Used", width: "56px", numeric: true, cell: (one) => <span className="num">{percent(usedShare(one), 0)}</span> },
    { key: "left", label: "Left", width: "80px", numeric: true, cell: (one) => <span className="num">{words(one.measure)(left(one))}</span> },
    { key: "resets", label: "Begins anew", width: "92px", cell: (one) => <Time at={one.resets_at} /> },
  ];
}

const usageOf = (scope: Scope, name: string): Record<string, string> => (scope === "project" ? {} : { [scope]: name });

function Detail({ one, whose, writes }: { one: Allowance; whose: string; writes: boolean }) {
  const [changing, setChanging] = useState(false);
  const outcome = useOutcome();
  const said = words(one.measure, true);
  const again = { key: "", member: "", environment: "", per: one.per, amount: one.amount, ...(one.scope === "project" ? {} : { [one.scope]: one.name }) };
  const setBudget = $api.useMutation("post", "/budgets", outcome("The budget is back."));
  const setLimit = $api.useMutation("post", "/limits", outcome("The limit is back."));
  const undo = () => (one.measure === "money" ? setBudget.mutate({ body: again }) : setLimit.mutate({ body: { ...again, measure: one.measure } }));
  const dropBudget = $api.useMutation("delete", "/budgets/{id}", outcome("The budget is removed.", { undo }));
  const dropLimit = $api.useMutation("delete", "/limits/{id}", outcome("The limit is removed.", { undo }));
  const call = { params: { path: { id: one.id } } };
  const drop = () => (one.measure === "money" ? dropBudget.mutate(call) : dropLimit.mutate(call));
  return (
    <div className="stack">
      {writes && (
        <div className="row">
          <button type="button" className="btn" onClick={() => setChanging(true)}>
            Change the amount
          </button>
          <button type="button" className="btn danger" disabled={dropBudget.isPending || dropLimit.isPending} onClick={drop}>
            Remove
          </button>
        </div>
      )}
      <Stats
        items={[
          { label: "Spent", value: words(one.measure)(one.spent) },
          { label: "Held", value: words(one.measure)(one.held) },
          { label: "Left", value: words(one.measure)(left(one)) },
        ]}
      />
      <Meter used={one} label={whose} words={said} />
      <KeyValues
        items={[
          ["Standing", <Standing key="s" one={one} />],
          ["For", one.scope === "key" ? <Link key="w" className="link" to="/keys" search={{ peek: one.name } as never}>{whose}</Link> : `${one.scope === "project" ? "" : `${one.scope} `}${whose}`],
          ["Amount", `${said(one.amount)} in each ${one.per}`],
          ["Window began", <Time key="b" at={one.starts_at} />],
          ["Begins anew", <Time key="r" at={one.resets_at} />],
          ["Set", <span key="c"><Time at={one.created_at} /> by {one.created_by}</span>],
          ["Usage", <Link key="u" className="link" to="/usage" search={usageOf(one.scope, one.name) as never}>by day and model</Link>],
        ]}
      />
      <p className="dim">Held is what servers have set aside for calls that run and for the next ones. What is not used of it is given back.</p>
      {changing && <SetAllowance close={() => setChanging(false)} first={{ scope: one.scope, name: one.name, measure: one.measure, per: one.per, amount: String(one.amount) }} />}
    </div>
  );
}

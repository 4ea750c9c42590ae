import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Deployment } from "../../api/types";
import { Blank, Status, Time } from "../../kit/basics";
import { percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { DeploymentForm } from "./RolloutForms";
import { call } from "./snippets";

const bare = (ref: string) => ref.replace(/^[a-z]+\//, "");

const COLUMNS: Column<Deployment>[] = [
  { key: "state", label: "State", width: "96px", cell: (d) => <Status state={d.canary && d.state === "active" ? "canary" : d.state} /> },
  { key: "name", label: "Deployment", width: "minmax(140px,1fr)", cell: (d) => d.name },
  { key: "environment", label: "Environment", width: "120px", cell: (d) => d.environment },
  { key: "baseline", label: "Baseline", width: "minmax(140px,1fr)", cell: (d) => <span className="dim">{bare(d.baseline)}</span> },
  { key: "canary", label: "Canary", width: "minmax(140px,1fr)", cell: (d) => <span className="dim">{d.canary ? bare(d.canary) : "–"}</span> },
  { key: "weight", label: "Canary gets", width: "88px", numeric: true, cell: (d) => <span className="num">{d.canary ? percent(d.weight, 0) : "–"}</span> },
  { key: "moved", label: "Last move", width: "minmax(120px,0.8fr)", cell: (d) => <span>{d.action} <span className="dim"><Time at={d.moved_at} /></span></span> },
  { key: "by", label: "By", width: "96px", cell: (d) => d.moved_by },
];

export function DeploymentList() {
  const [url] = useUrl();
  const who = useWho();
  const [making, setMaking] = useState(false);
  const navigate = useNavigate();
  const environment = useEnvironment(url.environment);
  const environments = $api.useQuery("get", "/environments", {});
  const query = $api.useInfiniteQuery("get", "/deployments", { params: { query: { environment, limit: 100 } } }, PAGES);
  return (
    <Page title="Deployments" flush actions={<Primary may={may(who.data, "deployment.write")} go={() => setMaking(true)}>Create a deployment</Primary>}>
      <EnvironmentPick names={environments.data?.items.map((one) => one.name)} current={environment} />
      <List
        label="Deployments"
        noun="deployment"
        {...paged(query)}
        columns={COLUMNS}
        id={(d) => d.name}
        open={(d) => void navigate({ to: `/deployments/${d.name}`, search: { environment: d.environment } as never })}
        blank={
          <Blank
            icon="deploy"
            title={environment ? `Nothing is deployed to ${environment}` : "No deployments yet"}
            text="A deployment is the name that clients ask for; releases roll behind it, first as a canary."
            code={`mainspring deployment create docs release/docs@1\n\n${call("docs")}`}
            actions={<Link to="/quickstart" className="btn">Quick start</Link>}
          />
        }
      />
      {making && (
        <DeploymentForm
          environment={environment}
          close={() => setMaking(false)}
          done={(made) => void navigate({ to: `/deployments/${made.name}`, search: { environment: made.environment } as never })}
        />
      )}
    </Page>
  );
}

/** The environment that a page is about: the one in the address, else the one of the caller's key. */
export function useEnvironment(asked: string | undefined): string {
  const who = useWho();
  return asked ?? who.data?.environment ?? "";
}

function EnvironmentPick({ names, current }: { names: string[] | undefined; current: string }) {
  const [, setUrl] = useUrl();
  const all = [...new Set([...(current ? [current] : []), ...(names ?? [])])];
  return (
    <div className="filters">
      <label className="row">
        <span className="dim">Environment</span>
        <select className="select" value={current} onChange={(event) => setUrl({ environment: event.target.value || undefined }, true)}>
          {all.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
    </div>
  );
}

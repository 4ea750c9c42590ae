import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Route } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { Choose, Filters, holds, Words } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { useEnvironment } from "./DeploymentList";
import { RouteForm } from "./RouteForm";
import { Candidates, Terms } from "./RouteParts";

const COLUMNS: Column<Route>[] = [
  { key: "name", label: "Route", width: "minmax(120px,1fr)", cell: (r) => r.name },
  { key: "environment", label: "Environment", width: "104px", cell: (r) => r.environment },
  { key: "policy", label: "First comes", width: "96px", cell: (r) => <span className="tag">{r.policy}</span> },
  { key: "candidates", label: "Candidates", width: "minmax(220px,2.4fr)", cell: (r) => <span className="dim">{r.candidates.map((one) => one.target).join(", ")}</span> },
  { key: "sticky", label: "Stays by", width: "72px", cell: (r) => r.sticky || <span className="dim">–</span> },
  { key: "pin", label: "Pinned to", width: "minmax(96px,0.8fr)", cell: (r) => r.pin || <span className="dim">–</span> },
  { key: "rules", label: "Rules", width: "48px", numeric: true, cell: (r) => <span className="num">{r.rules?.length || "–"}</span> },
  { key: "moved", label: "Changed", width: "92px", cell: (r) => <Time at={r.moved_at} /> },
  { key: "by", label: "By", width: "80px", cell: (r) => r.moved_by },
];

/** Names with several candidates behind them: who is asked first, and what follows where one fails. */
export function RouteList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const environment = useEnvironment(url.environment);
  const [making, setMaking] = useState(false);
  const environments = $api.useQuery("get", "/environments", {});
  const query = $api.useInfiniteQuery("get", "/routes", { params: { query: { environment, limit: 100 } } }, PAGES);
  const go = (name: string) => void navigate({ to: `/routes/${name}`, search: { environment } as never });
  return (
    <Page
      title="Routes"
      flush
      actions={<Primary may={may(who.data, "route.write")} go={() => setMaking(true)}>Create a route</Primary>}
    >
      <Filters>
        <Words placeholder="Name, policy or candidate" />
        <Choose name="environment" label="Environment" choices={[...new Set([environment, ...(environments.data?.items.map((one) => one.name) ?? [])])].filter(Boolean)} fallback={who.data?.environment || undefined} />
      </Filters>
      <List
        label="Routes"
        noun="route"
        {...paged(query, (one) => holds(url.q, one.name, one.policy, ...one.candidates.map((other) => other.target)))}
        columns={COLUMNS}
        id={(one) => one.name}
        open={(one) => go(one.name)}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(one) => one.name}
        peek={(one) => (
          <div className="stack">
            <Candidates key={one.name} route={one} />
            <Terms route={one} />
          </div>
        )}
        blank={
          <Blank
            icon="route"
            narrowed={Boolean(url.q) && "No route matches"}
            title={`No routes in ${environment}`}
            text="A route is a name that clients ask for, with several candidates behind it. Where one fails, the next is asked; what keeps failing is left alone for a while."
            code={`mainspring route create chat --policy fastest \\\n  '[{"target": "north/large"}, {"target": "south/large"}]'\nmainspring route test chat`}
          />
        }
      />
      {making && <RouteForm environment={environment} close={() => setMaking(false)} done={go} />}
    </Page>
  );
}

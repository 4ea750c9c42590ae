import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Route, RouteStep } from "../../api/types";
import { Card, Snippet, Time } from "../../kit/basics";
import { Field, Refused } from "../../kit/Dialog";
import { money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Table } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Page, Show } from "../../kit/page";
import { may, useWho } from "../../shell/session";
import { useEnvironment } from "./DeploymentList";
import { RouteForm } from "./RouteForm";
import { Breaker, Candidates, Terms } from "./RouteParts";
import { call } from "./snippets";

/** One route: its candidates and how they do, where a call would go, and every change. */
export function RoutePage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const who = useWho();
  const [url] = useUrl();
  const [changing, setChanging] = useState(false);
  const environment = useEnvironment(url.environment);
  const query = $api.useQuery("get", "/routes/{name}", { params: { path: { name }, query: { environment } } });
  return (
    <Page
      title={name}
      crumbs={[{ label: "Routes", to: "/routes" }]}
      badge={<span className="tag">{query.data?.environment ?? environment}</span>}
      actions={
        query.data &&
        may(who.data, "route.write") && (
          <>
            <Remove route={query.data} />
            <button type="button" className="btn primary" onClick={() => setChanging(true)}>
              Change
            </button>
          </>
        )
      }
    >
      <Show query={query}>
        {(route) => (
          <div className="columns">
            <div className="stack">
              <Candidates route={route} />
              <Trial route={route} />
              <History route={route} />
            </div>
            <div className="stack">
              <Terms route={route} />
              <Card title="Ask it">
                <Snippet code={call(route.name)} />
              </Card>
            </div>
            {changing && <RouteForm route={route} environment={route.environment} close={() => setChanging(false)} done={() => {}} />}
          </div>
        )}
      </Show>
    </Page>
  );
}

function Remove({ route }: { route: Route }) {
  const outcome = useOutcome();
  const navigate = useNavigate();
  const again = $api.useMutation("post", "/routes", outcome(`${route.name} is a route again.`));
  const { revision, action, moved_at, moved_by, note, ...terms } = route;
  const undo = () => again.mutate({ body: { ...terms, note: "brought back" } as never });
  const remove = $api.useMutation("delete", "/routes/{name}", outcome(`${route.name} is taken away.`, { undo, done: () => void navigate({ to: "/routes", search: { environment: route.environment } as never }) }));
  return (
    <button type="button" className="btn danger" disabled={remove.isPending} onClick={() => remove.mutate({ params: { path: { name: route.name }, query: { environment: route.environment } } })}>
      Take away
    </button>
  );
}

const NEEDS = ["tools", "images", "schema"] as const;

/** Where a call would go now. Nothing is asked. */
function Trial({ route }: { route: Route }) {
  const [call, setCall] = useState({ user: "", session: "", tags: "", tokens: "100", max_tokens: "512", needs: [] as (typeof NEEDS)[number][] });
  const set = (more: Partial<typeof call>) => setCall({ ...call, ...more });
  const test = $api.useMutation("post", "/routes/{name}/test");
  const number = (text: string) => Math.max(0, Math.round(Number(text)) || 0);
  return (
    <Card title="Where would a call go?">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const body = {
            environment: route.environment,
            user: call.user,
            session: call.session,
            tags: call.tags.split(/[\s,]+/).filter(Boolean),
            tokens: number(call.tokens),
            max_tokens: Math.max(1, number(call.max_tokens)),
            needs: call.needs,
            headers: {},
            metadata: {},
          };
          test.mutate({ params: { path: { name: route.name } }, body });
        }}
      >
        <div className="pair">
          <Field label="User">
            <input className="input" value={call.user} onChange={(event) => set({ user: event.target.value })} />
          </Field>
          <Field label="Session">
            <input className="input" value={call.session} onChange={(event) => set({ session: event.target.value })} />
          </Field>
          <Field label="Tags">
            <input className="input" value={call.tags} placeholder="draft" onChange={(event) => set({ tags: event.target.value })} />
          </Field>
          <Field label="Tokens sent">
            <input className="input num" inputMode="numeric" value={call.tokens} onChange={(event) => set({ tokens: event.target.value })} />
          </Field>
          <Field label="Most answered">
            <input className="input num" inputMode="numeric" value={call.max_tokens} onChange={(event) => set({ max_tokens: event.target.value })} />
          </Field>
        </div>
        <div className="row wrap">
          {NEEDS.map((need) => (
            <label key={need} className="checks-line">
              <input type="checkbox" checked={call.needs.includes(need)} onChange={(event) => set({ needs: event.target.checked ? [...call.needs, need] : call.needs.filter((one) => one !== need) })} />
              needs {need}
            </label>
          ))}
          <button type="submit" className="btn" disabled={test.isPending}>
            Show the way
          </button>
        </div>
        <Refused error={test.error} />
        {test.data && (
          <div aria-live="polite" className="stack tight">
            <p className="dim">
              {test.data.rule ? `Rule ${test.data.rule} holds. ` : ""}
              {test.data.unit ? `It stays by ${test.data.unit}.` : ""}
            </p>
            <Table<RouteStep>
              label="The way"
              items={test.data.steps}
              id={(step) => step.candidate}
              columns={[
                { key: "rank", label: "Place", numeric: true, cell: (step) => step.rank || "–" },
                { key: "candidate", label: "Candidate", cell: (step) => <code>{step.candidate}</code> },
                { key: "state", label: "Breaker", cell: (step) => <Breaker state={step.state} /> },
                { key: "cost", label: "May cost", numeric: true, cell: (step) => money(step.cost) },
                { key: "why", label: "Why", cell: (step) => step.why },
              ]}
            />
          </div>
        )}
      </form>
    </Card>
  );
}

function History({ route }: { route: Route }) {
  const query = $api.useQuery("get", "/routes/{name}/history", { params: { path: { name: route.name }, query: { environment: route.environment, limit: 100 } } });
  return (
    <Card title="History" flush>
      <Show query={query} lines={3}>
        {(page) => (
          <Table<Route>
            label="Changes"
            items={page.items}
            id={(move) => String(move.revision)}
            columns={[
              { key: "n", label: "Revision", numeric: true, cell: (move) => move.revision },
              { key: "action", label: "Move", cell: (move) => move.action },
              { key: "policy", label: "First comes", cell: (move) => move.policy },
              { key: "candidates", label: "Candidates", cell: (move) => move.candidates.map((one) => one.target).join(", ") },
              { key: "by", label: "By", cell: (move) => move.moved_by },
              { key: "at", label: "When", cell: (move) => <Time at={move.moved_at} /> },
              { key: "note", label: "Note", cell: (move) => move.note },
            ]}
          />
        )}
      </Show>
    </Card>
  );
}

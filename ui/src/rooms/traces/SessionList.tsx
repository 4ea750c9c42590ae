import { Link, useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { SessionLine } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { Chip, Choose, Filters } from "../../kit/filters";
import { count, duration, money } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { SavedViews } from "../../shell/SavedViews";
import { SINCE } from "./filter";

const spent = (one: SessionLine) => new Date(one.last_at).getTime() - new Date(one.first_at).getTime();

const COLUMNS: Column<SessionLine>[] = [
  { key: "id", label: "Session", width: "minmax(160px,2fr)", cell: (s) => <code>{s.session_id}</code> },
  { key: "user", label: "User", width: "minmax(100px,1fr)", cell: (s) => s.user_id || <span className="faint">unknown</span> },
  { key: "turns", label: "Turns", width: "64px", numeric: true, cell: (s) => <span className="num">{count(s.traces)}</span> },
  { key: "errors", label: "Failed", width: "64px", numeric: true, cell: (s) => <span className="num">{s.errors || ""}</span> },
  { key: "tokens", label: "Tokens", width: "80px", numeric: true, cell: (s) => <span className="num">{count(s.input_tokens + s.output_tokens)}</span> },
  { key: "cost", label: "Cost", width: "84px", numeric: true, cell: (s) => <span className="num">{money(s.cost)}</span> },
  { key: "lasted", label: "Lasted", width: "92px", numeric: true, cell: (s) => <span className="num">{duration(spent(s))}</span> },
  { key: "last", label: "Last active", width: "96px", cell: (s) => <Time at={s.last_at} /> },
];
const KEYS = ["user_id", "environment", "since"] as const;

/** Traces that belong together, last active first. */
export function SessionList() {
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const since = SINCE[url.since ?? ""];
  const asked = { user_id: url.user_id, environment: url.environment, since: since && new Date(Math.floor((Date.now() - since.ms) / 60_000) * 60_000).toISOString() };
  const query = $api.useInfiniteQuery("get", "/sessions", { params: { query: { ...asked, limit: 100 } } }, PAGES);
  return (
    <Page title="Sessions" flush actions={<SavedViews page="sessions" keys={KEYS} />}>
      <Filters>
        <Choose name="since" label="Time" any="Any time" choices={Object.entries(SINCE).map(([value, { label }]) => ({ value, label }))} />
        {url.user_id && <Chip name="user_id" label="User" value={url.user_id} />}
        {url.environment && <Chip name="environment" label="Environment" value={url.environment} />}
      </Filters>
      <List
        label="Sessions"
        noun="session"
        {...paged(query)}
        columns={COLUMNS}
        id={(one) => one.session_id}
        open={(one) => void navigate({ to: "/sessions/conversation", search: { id: one.session_id } as never })}
        selected={url.at}
        select={(at) => setUrl({ at })}
        blank={
          KEYS.some((key) => url[key]) ? (
            <Blank icon="filter" title="No session matches" text="Take a filter away." />
          ) : (
            <Blank
              icon="chat"
              title="No sessions yet"
              text="Traces that carry the same session id are one conversation. Send it with each call."
              code={`client.chat.completions.create(\n    ..., extra_headers={"x-mainspring-session": "chat-42"})\n\n# or, in spans of your own: gen_ai.conversation.id, session.id`}
            actions={<Link to="/quickstart" className="btn">Quick start</Link>}
            />
          )
        }
      />
    </Page>
  );
}

import { Link } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { SessionLine, UserLine } from "../../api/types";
import { Blank, Card, Id, Stats, Time } from "../../kit/basics";
import { Choose, Filters } from "../../kit/filters";
import { count, money, percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { Page, Show } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { EraseUser } from "./EraseUser";
import { SINCE } from "./filter";

const COLUMNS: Column<UserLine>[] = [
  { key: "id", label: "User", width: "minmax(180px,2fr)", cell: (u) => <code>{u.user_id}</code> },
  { key: "traces", label: "Traces", width: "80px", numeric: true, cell: (u) => <span className="num">{count(u.traces)}</span> },
  { key: "errors", label: "Failed", width: "72px", numeric: true, cell: (u) => <span className="num">{u.errors || ""}</span> },
  { key: "tokens", label: "Tokens", width: "96px", numeric: true, cell: (u) => <span className="num">{count(u.input_tokens + u.output_tokens)}</span> },
  { key: "cost", label: "Cost", width: "88px", numeric: true, cell: (u) => <span className="num">{money(u.cost)}</span> },
  { key: "first", label: "First seen", width: "96px", cell: (u) => <Time at={u.first_at} /> },
  { key: "last", label: "Last seen", width: "96px", cell: (u) => <Time at={u.last_at} /> },
];

/** Who the traces were for, last seen first. */
export function UserList() {
  const [url, setUrl] = useUrl();
  const since = SINCE[url.since ?? ""];
  const from = since && new Date(Math.floor((Date.now() - since.ms) / 60_000) * 60_000).toISOString();
  const query = $api.useInfiniteQuery("get", "/users", { params: { query: { since: from, limit: 100 } } }, PAGES);
  const pages = paged(query);
  const loaded = pages.items;
  // Who came by a link may stand further below than what is loaded.
  const wanted = $api.useQuery("get", "/users/{user_id}", { params: { path: { user_id: url.peek ?? "" } } }, { enabled: Boolean(url.peek && loaded && !loaded.some((one) => one.user_id === url.peek)), retry: false });
  const items = loaded && wanted.data && !loaded.some((one) => one.user_id === wanted.data.user_id) ? [wanted.data, ...loaded] : loaded;
  return (
    <Page title="Users" flush>
      <Filters>
        <Choose name="since" label="Seen" any="Seen at any time" choices={Object.entries(SINCE).map(([value, { label }]) => ({ value, label: `seen in the ${label}` }))} />
      </Filters>
      <List
        label="Users"
        noun="user"
        {...pages}
        items={items}
        columns={COLUMNS}
        id={(one) => one.user_id}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(one) => <Id value={one.user_id} full />}
        peek={(one) => <Detail key={one.user_id} user={one} />}
        blank={
          url.since ? (
            <Blank icon="filter" title="Nobody was seen then" text="Choose a longer time." />
          ) : (
            <Blank
              icon="members"
              title="No users yet"
              text="Traces that name a user are gathered here. Send the name, or a hash of it, with each call."
              code={`client.chat.completions.create(..., user="user-17")\n\n# or, in spans of your own: user.id, enduser.id`}
            actions={<Link to="/quickstart" className="btn">Quick start</Link>}
            />
          )
        }
      />
    </Page>
  );
}

function Detail({ user }: { user: UserLine }) {
  const sessions = $api.useQuery("get", "/sessions", { params: { query: { user_id: user.user_id, limit: 20 } } });
  return (
    <div className="stack">
      <Stats
        items={[
          { label: "Traces", value: count(user.traces) },
          { label: "Failed", value: count(user.errors), note: user.traces ? percent(user.errors / user.traces) : undefined },
          { label: "Tokens", value: count(user.input_tokens + user.output_tokens) },
          { label: "Cost", value: money(user.cost) },
        ]}
      />
      <div className="row">
        <Link className="btn" to="/traces" search={{ user_id: user.user_id } as never}>
          Traces
        </Link>
        <Link className="btn" to="/sessions" search={{ user_id: user.user_id } as never}>
          Sessions
        </Link>
        <EraseUser userId={user.user_id} />
      </div>
      <Card title="Last sessions" flush>
        <Show query={sessions} lines={3}>
          {(page) =>
            page.items.length === 0 ? (
              <Blank small icon="chat" title="No trace of this user names a session" />
            ) : (
              <Table<SessionLine>
                label="Last sessions"
                items={page.items}
                id={(one) => one.session_id}
                columns={[
                  { key: "id", label: "Session", cell: (s) => <Link className="link mono" to="/sessions/conversation" search={{ id: s.session_id } as never}>{s.session_id}</Link> },
                  { key: "turns", label: "Turns", numeric: true, cell: (s) => count(s.traces) },
                  { key: "at", label: "Last active", cell: (s) => <Time at={s.last_at} /> },
                ]}
              />
            )
          }
        </Show>
      </Card>
    </div>
  );
}

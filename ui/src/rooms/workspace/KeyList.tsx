import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { $api } from "../../api/client";
import type { Key, NewKey } from "../../api/types";
import { Blank, Card, Id, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { TypedName } from "../../kit/Dialog";
import { Choose, Filters, holds, Words } from "../../kit/filters";
import { count, money, plural, short } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { List, type Column } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary, Show } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { AllowancesOf } from "../serving/AllowancesOf";
import { nameOf, prefixOf } from "./keys";
import { NewKeyDialog, ShowKey } from "./NewKey";

const STATES = ["active", "expired", "revoked"] as const;

const COLUMNS: Column<Key>[] = [
  { key: "state", label: "State", width: "92px", cell: (k) => <Status state={k.state} /> },
  { key: "note", label: "For", width: "minmax(160px,1.6fr)", cell: (k) => k.note || <span className="dim">no note</span> },
  { key: "member", label: "Member", width: "minmax(96px,0.8fr)", cell: (k) => k.member },
  { key: "environment", label: "Environment", width: "112px", cell: (k) => (k.roams ? "any (roams)" : k.environment) },
  { key: "may", label: "May", width: "minmax(120px,1fr)", cell: (k) => <span className="dim">{mayOf(k)}</span> },
  { key: "key", label: "Key", width: "150px", cell: (k) => <code className="dim">{prefixOf(k.id)}</code> },
  { key: "used", label: "Last used", width: "92px", cell: (k) => (k.last_used_at ? <Time at={k.last_used_at} /> : <span className="dim">never</span>) },
  { key: "ends", label: "Ends", width: "92px", cell: (k) => (k.revoked_at ? <Time at={k.revoked_at} /> : k.expires_at ? <Time at={k.expires_at} /> : <span className="dim">–</span>) },
];

function mayOf(key: Key): string {
  const what = key.permissions === null ? "all of its role" : key.permissions.length === 1 ? key.permissions[0]! : plural(key.permissions.length, "permission");
  return key.models ? `${what}, ${plural(key.models.length, "model")}` : what;
}

/** The project's keys: whose they are, what they may do, and what they used. Secrets are shown once, when they are made. */
export function KeyList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const [making, setMaking] = useState(false);
  const query = $api.useInfiniteQuery("get", "/keys", { params: { query: { member: url.member, limit: 200 } } }, PAGES);
  const members = $api.useQuery("get", "/members", { params: { query: { limit: 200 } } }, { enabled: may(who.data, "member.read") });
  const writes = may(who.data, "key.write");
  return (
    <Page
      title="Keys"
      flush
      actions={
        <>
          <Link to="/quickstart" className="btn">
            Quick start
          </Link>
          <Primary may={writes} go={() => setMaking(true)}><Icon name="key" size={14} /> Create a key</Primary>
        </>
      }
    >
      <Filters>
        <Words placeholder="Note, member or key" />
        <Choose name="state" label="State" any="Any state" choices={STATES} />
        <Choose name="member" label="Member" any="Any member" choices={members.data?.items.map((one) => one.name) ?? []} />
      </Filters>
      <List
        label="Keys"
        noun="key"
        {...paged(query, (key) => (!url.state || key.state === url.state) && holds(url.q, key.note, key.member, key.environment, key.id))}
        columns={COLUMNS}
        id={(key) => key.id}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(key) => nameOf(key)}
        peek={(key) => <Detail key={key.id} shown={key} writes={writes} />}
        blank={
          <Blank
            icon="key"
            narrowed={Boolean(url.state || url.member || url.q) && "No key matches"}
            title="No keys yet"
            text="A key acts for a member in an environment. It can be held to a few permissions and models, and ends when you say so."
            code={`mainspring key create --models docs --note "the documentation site"`}
          />
        }
      />
      {making && <NewKeyDialog close={() => setMaking(false)} />}
    </Page>
  );
}

function Detail({ shown, writes }: { shown: Key; writes: boolean }) {
  const outcome = useOutcome();
  const [ending, setEnding] = useState(false);
  const [made, setMade] = useState<NewKey>();
  const revoke = $api.useMutation("post", "/keys/{id}/revoke", outcome("The key is revoked.", { done: () => setEnding(false), quiet: true }));
  const rotate = $api.useMutation("post", "/keys/{id}/rotate", outcome("There is a new key. The old one is valid for another day.", { done: setMade }));
  const path = { id: shown.id };
  return (
    <div className="stack">
      {writes && shown.state === "active" && (
        <div className="row">
          <button type="button" className="btn" disabled={rotate.isPending} title="A new key in its place; this one stays valid for 24 hours" onClick={() => rotate.mutate({ params: { path }, body: { overlap_hours: 24 } })}>
            Rotate
          </button>
          <button type="button" className="btn danger" onClick={() => setEnding(true)}>
            Revoke
          </button>
        </div>
      )}
      <KeyValues
        items={[
          ["State", <Status key="s" state={shown.state} />],
          ["Key", <Id key="k" value={`ms_${shown.id}`} length={18} />],
          ["Member", <Link key="m" className="link" to="/members" search={{ peek: shown.member } as never}>{shown.member}</Link>],
          ["Environment", shown.roams ? "any, and any project of the member" : shown.environment],
          ["May", shown.permissions === null ? "all that the member's role allows" : <Tags key="p" words={shown.permissions} />],
          ["May ask for", shown.models === null ? "whatever its permissions allow" : <Tags key="o" words={shown.models} />],
          ["Made", <span key="a"><Time at={shown.created_at} /> by {shown.created_by}</span>],
          ["Last used", shown.last_used_at ? <Time key="l" at={shown.last_used_at} /> : "never"],
          ["Ends", shown.expires_at ? <Time key="e" at={shown.expires_at} /> : "never by itself"],
          ...(shown.revoked_at ? ([["Revoked", <Time key="r" at={shown.revoked_at} />]] as [string, ReactNode][]) : []),
          ...(shown.replaced_by ? ([["Replaced by", <Link key="b" className="link mono" to="/keys" search={{ peek: shown.replaced_by } as never}>{prefixOf(shown.replaced_by)}</Link>]] as [string, ReactNode][]) : []),
        ]}
      />
      <UsageOf keyId={shown.id} />
      <AllowancesOf scope="key" name={shown.id} />
      {ending && (
        <TypedName
          title={`Revoke ${nameOf(shown)}`}
          name={nameOf(shown)}
          label="Revoke"
          busy={revoke.isPending}
          error={revoke.error}
          close={() => setEnding(false)}
          go={() => revoke.mutate({ params: { path } })}
        >
          Whatever uses this key is refused at once, and the runs that it started are cancelled.
        </TypedName>
      )}
      {made && <ShowKey made={made} title={`The key in place of ${nameOf(shown)}`} close={() => setMade(undefined)} />}
    </div>
  );
}

function Tags({ words }: { words: string[] }) {
  return (
    <span className="row wrap">
      {words.map((word) => (
        <code key={word} className="tag">
          {word}
        </code>
      ))}
    </span>
  );
}

function UsageOf({ keyId }: { keyId: string }) {
  const who = useWho();
  const query = $api.useQuery("get", "/usage", { params: { query: { by: "key", key: keyId } } }, { enabled: may(who.data, "usage.read") });
  return (
    <Card title="Used in the last 30 days" flush actions={<Link className="link" to="/usage" search={{ key: keyId, by: "model" } as never}>by day and model</Link>}>
      <Show query={query} lines={2}>
        {(rows) => {
          const row = rows[0];
          return (
            <Stats
              items={[
                { label: "Requests", value: count(row?.requests ?? 0) },
                { label: "Tokens", value: short((row?.input_tokens ?? 0) + (row?.output_tokens ?? 0)) },
                { label: "Cost", value: money(row?.cost ?? 0) },
              ]}
            />
          );
        }}
      </Show>
    </Card>
  );
}

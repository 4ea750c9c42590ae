import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Key, Member } from "../../api/types";
import { Blank, Card, KeyValues, Status, Time } from "../../kit/basics";
import { Field, FormDialog, NameField, TypedName } from "../../kit/Dialog";
import { Choose, Filters, holds, Words } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary, Show } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { AllowancesOf } from "../serving/AllowancesOf";
import { nameOf } from "./keys";

type Role = "viewer" | "annotator" | "developer" | "operator" | "auditor" | "admin";

/** What each role is for, in a line; the server decides what it allows. */
const ROLES: Record<Role, string> = {
  viewer: "reads everything",
  annotator: "reads, scores and labels",
  developer: "builds: data, prompts, models, evaluations, releases",
  operator: "runs: deployments, providers, budgets, alerts; approves releases",
  auditor: "reads, verifies the audit log, approves releases",
  admin: "everything, members and keys too",
};
const NAMES = Object.keys(ROLES) as Role[];
const isRole = (text: string): text is Role => text in ROLES;

const COLUMNS: Column<Member>[] = [
  { key: "name", label: "Member", width: "minmax(140px,1fr)", cell: (m) => m.name },
  { key: "role", label: "Role", width: "104px", cell: (m) => <span className="tag">{m.role}</span> },
  { key: "may", label: "May", width: "minmax(200px,2fr)", cell: (m) => <span className="dim">{isRole(m.role) ? ROLES[m.role] : ""}</span> },
  { key: "email", label: "Address", width: "minmax(140px,1fr)", cell: (m) => m.email || <span className="dim">–</span> },
  { key: "by", label: "Added by", width: "96px", cell: (m) => m.created_by },
  { key: "at", label: "Added", width: "92px", cell: (m) => <Time at={m.created_at} /> },
];

/** Who is in the project, and what each may do. */
export function MemberList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const [adding, setAdding] = useState(false);
  const query = $api.useInfiniteQuery("get", "/members", { params: { query: { limit: 200 } } }, PAGES);
  const writes = may(who.data, "member.write");
  return (
    <Page
      title="Members"
      flush
      actions={<Primary may={writes} go={() => setAdding(true)}>Add a member</Primary>}
    >
      <Filters>
        <Words placeholder="Name or address" />
        <Choose name="role" label="Role" any="Any role" choices={NAMES} />
      </Filters>
      <List
        label="Members"
        noun="member"
        {...paged(query, (one) => (!url.role || one.role === url.role) && holds(url.q, one.name, one.email))}
        columns={COLUMNS}
        id={(one) => one.name}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(one) => one.name}
        peek={(one) => <Detail key={one.name} member={one} writes={writes} />}
        blank={<Blank icon="members" narrowed={Boolean(url.q || url.role) && "No member matches"} title="No members yet" text="A member is a person or a program with a role in the project." code="mainspring member add grace developer" />}
      />
      {adding && <Add close={() => setAdding(false)} done={(peek) => setUrl({ peek })} />}
    </Page>
  );
}

function Detail({ member, writes }: { member: Member; writes: boolean }) {
  const who = useWho();
  const outcome = useOutcome();
  const [, setUrl] = useUrl();
  const [removing, setRemoving] = useState(false);
  const path = { name: member.name };
  const back = $api.useMutation("patch", "/members/{name}", outcome(`${member.name} is ${member.role} again.`));
  const undo = () => back.mutate({ params: { path }, body: { role: member.role as Role, email: null } });
  const change = $api.useMutation("patch", "/members/{name}", outcome((made: Member) => `${made.name} is ${made.role} now.`, { undo }));
  const remove = $api.useMutation("delete", "/members/{name}", outcome(`${member.name} is no member any more.`, { done: () => setUrl({ peek: undefined }), quiet: true }));
  return (
    <div className="stack">
      {writes && (
        <div className="row wrap">
          <select className="select" aria-label={`Role of ${member.name}`} value={member.role} disabled={change.isPending} onChange={(event) => change.mutate({ params: { path }, body: { role: event.target.value as Role, email: null } })}>
            {NAMES.map((role) => (
              <option key={role} value={role}>
                {role}: {ROLES[role]}
              </option>
            ))}
          </select>
          <button type="button" className="btn danger" onClick={() => setRemoving(true)}>
            Remove
          </button>
        </div>
      )}
      <KeyValues
        items={[
          ["Role", <span key="r"><span className="tag">{member.role}</span> {isRole(member.role) && ROLES[member.role]}</span>],
          ["Address", member.email || <span className="dim">none</span>],
          ["Added", <span key="a"><Time at={member.created_at} /> by {member.created_by}</span>],
          ["Usage", <Link key="u" className="link" to="/usage" search={{ member: member.name } as never}>by day and model</Link>],
        ]}
      />
      {may(who.data, "key.read") && <KeysOf member={member.name} />}
      <AllowancesOf scope="member" name={member.name} />
      {removing && (
        <TypedName title={`Remove ${member.name}`} name={member.name} label="Remove" busy={remove.isPending} error={remove.error} close={() => setRemoving(false)} go={() => remove.mutate({ params: { path } })}>
          The member&apos;s keys in this project are revoked, and the member&apos;s runs are cancelled.
        </TypedName>
      )}
    </div>
  );
}

function KeysOf({ member }: { member: string }) {
  const query = $api.useQuery("get", "/keys", { params: { query: { member, limit: 50 } } });
  return (
    <Card title="Keys" flush>
      <Show query={query} lines={2}>
        {(page) =>
          page.items.length === 0 ? (
            <p className="inner dim">None.</p>
          ) : (
            <Table<Key>
              label={`Keys of ${member}`}
              items={page.items}
              id={(key) => key.id}
              columns={[
                { key: "state", label: "State", cell: (key) => <Status state={key.state} /> },
                { key: "note", label: "For", cell: (key) => <Link className="link" to="/keys" search={{ peek: key.id } as never}>{nameOf(key)}</Link> },
                { key: "environment", label: "Environment", cell: (key) => (key.roams ? "any" : key.environment) },
                { key: "used", label: "Last used", cell: (key) => (key.last_used_at ? <Time at={key.last_used_at} /> : "never") },
              ]}
            />
          )
        }
      </Show>
    </Card>
  );
}

function Add({ close, done }: { close: () => void; done: (name: string) => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({ name: "", role: "developer" as Role, email: "" });
  const finish = (made: Member) => {
    close();
    done(made.name);
  };
  const add = $api.useMutation("post", "/members", outcome((made: Member) => `${made.name} is a member. Create a key for them next.`, { done: finish, quiet: true }));
  return (
    <FormDialog
      title="Add a member"
      close={close}
      ready={NAME.test(form.name) && !add.isPending}
      label="Add"
      error={add.error}
      go={() => add.mutate({ body: form })}
    >
      <NameField value={form.name} set={(name) => setForm({ ...form, name })} placeholder="grace" />
      <Field label="Role" note={ROLES[form.role]}>
        <select className="select" value={form.role} onChange={(event) => setForm({ ...form, role: event.target.value as Role })}>
          {NAMES.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </select>
      </Field>
      <Field label="Address">
        <input className="input" type="email" value={form.email} placeholder="grace@example.org" onChange={(event) => setForm({ ...form, email: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

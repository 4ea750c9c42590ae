import { useState } from "react";
import { $api } from "../../api/client";
import type { Channel } from "../../api/types";
import { Blank, KeyValues, Status, Time } from "../../kit/basics";
import { Field, FormDialog, NameField, TypedName } from "../../kit/Dialog";
import { duration } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { NAME } from "../../kit/name";
import { Options } from "../../kit/filters";
import { useOutcome } from "../../kit/outcome";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { SEVERITIES } from "./kinds";

const KINDS: Record<Channel["kind"], string> = { webhook: "webhook", slack: "Slack's form", pagerduty: "PagerDuty's form", email: "mail" };

const COLUMNS: Column<Channel>[] = [
  { key: "name", label: "Channel", width: "minmax(140px,1fr)", cell: (c) => c.name },
  { key: "kind", label: "Kind", width: "140px", cell: (c) => KINDS[c.kind] },
  { key: "host", label: "Host", width: "minmax(160px,1.5fr)", cell: (c) => <span className="mono dim">{c.host}</span> },
  { key: "least", label: "From", width: "104px", cell: (c) => <Status state={c.min_severity} /> },
  { key: "signed", label: "Signed", width: "64px", cell: (c) => (c.signed ? "yes" : "no") },
  { key: "created", label: "Created", width: "96px", cell: (c) => <Time at={c.created_at} /> },
];

/** Where alerts go; addresses are sealed and never shown. */
export function Channels({ making, close }: { making: boolean; close: () => void }) {
  const [url, setUrl] = useUrl();
  const query = $api.useInfiniteQuery("get", "/channels", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <>
      <List
        label="Channels"
        noun="channel"
        {...paged(query)}
        columns={COLUMNS}
        id={(c) => c.name}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(c) => c.name}
        peek={(c) => <Detail key={c.name} channel={c} />}
        blank={<Blank icon="alert" title="No channels yet" text="A channel is told when an alert opens and when it ends: a webhook, Slack's form, PagerDuty's form, or mail." code="mainspring channel create ops https://hooks.example.com/… --kind slack" />}
      />
      {making && <ChannelForm close={close} />}
    </>
  );
}

function Detail({ channel }: { channel: Channel }) {
  const who = useWho();
  const outcome = useOutcome();
  const [going, setGoing] = useState(false);
  const call = { params: { path: { name: channel.name } } };
  const test = $api.useMutation("post", "/channels/{name}/test", outcome((made: { status: number; milliseconds: number }) => `It answered ${made.status} after ${duration(made.milliseconds)}.`));
  const drop = $api.useMutation("delete", "/channels/{name}", outcome("The channel is deleted.", { quiet: true, done: () => setGoing(false) }));
  return (
    <div className="stack">
      {may(who.data, "channel.write") && (
        <div className="row">
          <button type="button" className="btn" disabled={test.isPending} onClick={() => test.mutate(call)}>
            Send a test
          </button>
          <button type="button" className="btn danger" onClick={() => setGoing(true)}>
            Delete
          </button>
        </div>
      )}
      <KeyValues
        items={[
          ["Kind", KINDS[channel.kind]],
          ["Host", <code key="h">{channel.host}</code>],
          ["From severity", <Status key="s" state={channel.min_severity} />],
          ["Signed", channel.signed ? "each delivery carries the HMAC-SHA256 of its body" : "no"],
          ["Created", <span key="c"><Time at={channel.created_at} /> by {channel.created_by}</span>],
        ]}
      />
      {going && (
        <TypedName title="Delete the channel" name={channel.name} label="Delete" busy={drop.isPending} error={drop.error} close={() => setGoing(false)} go={() => drop.mutate(call)}>
          Messages that wait for it are dropped. Its address is sealed and cannot be had back.
        </TypedName>
      )}
    </div>
  );
}

function ChannelForm({ close }: { close: () => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({ name: "", kind: "webhook" as Channel["kind"], url: "", secret: "", min_severity: "info" as Channel["min_severity"] });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const create = $api.useMutation("post", "/channels", outcome((made: Channel) => `${made.name} is told of alerts now.`, { done: close, quiet: true }));
  return (
    <FormDialog
      title="Create a channel"
      close={close}
      size={520}
      ready={NAME.test(form.name) && form.url.trim().length >= 8 && !create.isPending}
      label="Create"
      error={create.error}
      go={() => create.mutate({ body: { ...form, url: form.url.trim() } })}
    >
      <div className="pair">
        <NameField value={form.name} set={(name) => set({ name })} placeholder="ops" />
        <Field label="Kind">
          <select className="select" value={form.kind} onChange={(event) => set({ kind: event.target.value as Channel["kind"] })}>
            <Options of={KINDS} />
          </select>
        </Field>
        <Field label="From severity">
          <select className="select" value={form.min_severity} onChange={(event) => set({ min_severity: event.target.value as Channel["min_severity"] })}>
            {SEVERITIES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </Field>
      </div>
      <Field label="Address" note="It is sealed and never shown again.">
        <input className="input mono" value={form.url} placeholder={form.kind === "email" ? "smtps://user:password@mail.example/?from=…&to=…" : "https://hooks.example.com/…"} onChange={(event) => set({ url: event.target.value })} />
      </Field>
      {form.kind !== "email" && (
        <Field label={form.kind === "pagerduty" ? "Routing key" : "Secret"} note={form.kind === "pagerduty" ? undefined : "With one, each delivery carries the HMAC-SHA256 of its body."}>
          <input className="input mono" type="password" autoComplete="new-password" value={form.secret} onChange={(event) => set({ secret: event.target.value })} />
        </Field>
      )}
    </FormDialog>
  );
}

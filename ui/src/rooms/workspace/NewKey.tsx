import { useState, type ReactNode } from "react";
import { $api } from "../../api/client";
import type { NewKey } from "../../api/types";
import { copyText } from "../../kit/basics";
import { Dialog, Field, Foot, Refused } from "../../kit/Dialog";
import { Icon } from "../../kit/icons";
import { Options } from "../../kit/filters";
import { useOutcome } from "../../kit/outcome";
import { may, useWho } from "../../shell/session";

const LIVES: Record<string, string> = { "": "for ever", "24": "a day", "168": "a week", "720": "30 days", "2160": "90 days", "8760": "a year" };
const SCOPES: Record<string, { label: string; permissions: string[] | null }> = {
  call: { label: "ask deployments, and nothing else", permissions: ["deployment.use"] },
  use: { label: "ask deployments, releases and models; send traces and feedback", permissions: ["deployment.use", "release.use", "model.use", "trace.write", "score.write"] },
  read: { label: "read everything, change nothing", permissions: ["*.read"] },
  all: { label: "all that the member may do", permissions: null },
};

/** Makes a key; `made` is given it with its secret, which nobody can see again. */
export function NewKeyForm({ made, close, narrow = "use" }: { made: (key: NewKey) => void; close?: () => void; narrow?: keyof typeof SCOPES }) {
  const who = useWho();
  const outcome = useOutcome();
  const [form, setForm] = useState({ note: "", member: "", environment: who.data?.environment || "production", scope: narrow as string, models: "", hours: "" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const members = $api.useQuery("get", "/members", { params: { query: { limit: 200 } } }, { enabled: may(who.data, "member.read") });
  const environments = $api.useQuery("get", "/environments", {});
  const create = $api.useMutation("post", "/keys", outcome("The key is made. Copy it now.", { done: made, quiet: true }));
  const models = form.models.split(/[\s,]+/).filter(Boolean);
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate({
          body: {
            member: form.member || null,
            environment: form.environment,
            permissions: SCOPES[form.scope]!.permissions,
            models: models.length ? models : null,
            expires_hours: form.hours ? Number(form.hours) : null,
            note: form.note.trim(),
            roams: false,
          },
        });
      }}
    >
      <Field label="What it is for">
        <input className="input" value={form.note} data-autofocus maxLength={200} placeholder="the documentation site" onChange={(event) => set({ note: event.target.value })} />
      </Field>
      <div className="pair">
        <Field label="Environment">
          <select className="select" value={form.environment} onChange={(event) => set({ environment: event.target.value })}>
            {[...new Set([form.environment, ...(environments.data?.items.map((one) => one.name) ?? [])])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </Field>
        <Field label="On behalf of">
          <select className="select" value={form.member} onChange={(event) => set({ member: event.target.value })}>
            <option value="">{who.data?.member} (you)</option>
            {members.data?.items
              .filter((one) => one.name !== who.data?.member)
              .map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name} ({one.role})
                </option>
              ))}
          </select>
        </Field>
        <Field label="Valid">
          <select className="select" value={form.hours} onChange={(event) => set({ hours: event.target.value })}>
            <Options of={LIVES} />
          </select>
        </Field>
      </div>
      <Field label="It may">
        <select className="select" value={form.scope} onChange={(event) => set({ scope: event.target.value })}>
          {Object.entries(SCOPES).map(([value, { label }]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Models" note="What it may ask for: a deployment's name, model/…, release/… or PROVIDER/…, with a * for any ending. Empty: whatever the line above allows.">
        <input className="input mono" value={form.models} placeholder="docs model/small*" onChange={(event) => set({ models: event.target.value })} />
      </Field>
      <Refused error={create.error} />
      {close ? (
        <Foot close={close} ready={!create.isPending} label="Create" />
      ) : (
        <div className="row end">
          <button type="submit" className="btn primary" disabled={create.isPending}>
            Create a key
          </button>
        </div>
      )}
    </form>
  );
}

/** A secret that is shown this once. */
export function Secret({ value, children }: { value: string; children?: ReactNode }) {
  const [done, setDone] = useState(false);
  return (
    <div className="stack tight">
      <p className="notice warn">
        <Icon name="warn" />
        <span>This is shown once. Put it where your program reads it; if it is lost, make another.</span>
      </p>
      <div className="secret">
        <code>{value}</code>
        <button type="button" className="btn" onClick={() => void copyText(value).then(() => setDone(true))}>
          <Icon name={done ? "check" : "copy"} size={14} /> {done ? "Copied" : "Copy"}
        </button>
      </div>
      {children}
    </div>
  );
}

/** The dialog from what a key is to do, to its secret. */
export function NewKeyDialog({ close }: { close: () => void }) {
  const [made, setMade] = useState<NewKey>();
  return made ? (
    <ShowKey made={made} title="The new key" close={close} />
  ) : (
    <Dialog title="Create a key" close={close} size={560}>
      <NewKeyForm made={setMade} close={close} />
    </Dialog>
  );
}

/** Shows a key that was just made; a click beside it does not close it. */
export function ShowKey({ made, title, close }: { made: NewKey; title: string; close: () => void }) {
  return (
    <Dialog title={title} close={close} size={560} stays>
      <Secret value={made.secret}>
        <div className="row end">
          <button type="button" className="btn primary" onClick={close}>
            I have stored it
          </button>
        </div>
      </Secret>
    </Dialog>
  );
}

import { useState } from "react";
import { $api } from "../../api/client";
import type { Provider } from "../../api/types";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { PATIENCE, placeOf, PRESETS } from "./providers";

const USUAL = { connect_seconds: "5", first_token_seconds: "120", between_seconds: "60", total_seconds: "600" };

/** Names a server of models, or changes how one is reached. A key is typed once and never shown. */
export function ProviderForm({ provider, close, done }: { provider?: Provider; close: () => void; done: (name: string) => void }) {
  const outcome = useOutcome();
  const [form, setForm] = useState({
    name: provider?.name ?? "",
    kind: provider?.kind ?? ("openai" as Provider["kind"]),
    url: provider?.url ?? "",
    note: provider?.note ?? "",
    api_key: "",
    away: false,
    ...(provider ? (Object.fromEntries(PATIENCE.map(([name]) => [name, String(provider[name])])) as typeof USUAL) : USUAL),
  });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const finish = (made: Provider) => {
    close();
    done(made.name);
  };
  const create = $api.useMutation("post", "/providers", outcome((made: Provider) => `${made.name} is known now.`, { done: finish, quiet: true }));
  const update = $api.useMutation("patch", "/providers/{name}", outcome("Changed.", { done: finish, quiet: true }));
  const moved = provider?.keyed && placeOf(form.url) !== placeOf(provider.url);
  const patience = Object.fromEntries(PATIENCE.map(([name]) => [name, Number(form[name])])) as Record<(typeof PATIENCE)[number][0], number>;
  const ready = NAME.test(form.name) && placeOf(form.url) !== "" && Object.values(patience).every((value) => value > 0) && !(moved && !form.api_key && !form.away);
  const submit = () => {
    const shared = { url: form.url.trim(), note: form.note, ...patience };
    const key = form.api_key.trim();
    if (provider) update.mutate({ params: { path: { name: provider.name } }, body: { ...shared, api_key: form.away ? "" : key || null } });
    else create.mutate({ body: { ...shared, name: form.name, kind: form.kind, api_key: key } });
  };
  return (
    <FormDialog
      title={provider ? `Change ${provider.name}` : "Create a provider"}
      close={close}
      size={560}
      ready={ready && !create.isPending && !update.isPending}
      label={provider ? "Change" : "Create"}
      error={create.error ?? update.error}
      go={submit}
    >
      {!provider && (
        <div className="presets" role="group" aria-label="Begin with">
          {PRESETS.map((preset) => (
            <button key={preset.label} type="button" className="btn" onClick={() => set({ kind: preset.kind, url: preset.url, name: form.name || preset.name })}>
              {preset.label}
            </button>
          ))}
        </div>
      )}
      {!provider && (
        <div className="pair">
          <NameField value={form.name} set={(name) => set({ name })} placeholder="acme" />
          <Field label="It speaks">
            <select className="select" value={form.kind} onChange={(event) => set({ kind: event.target.value as Provider["kind"] })}>
              <option value="openai">OpenAI&apos;s chat completions</option>
              <option value="anthropic">Anthropic&apos;s messages</option>
            </select>
          </Field>
        </div>
      )}
      <Field label="URL">
        <input className="input mono" type="url" value={form.url} placeholder="https://models.example.org/v1" onChange={(event) => set({ url: event.target.value })} />
      </Field>
      <Field
        label={provider?.keyed ? "Another key" : "Key"}
        note={
          moved
            ? `The key is bound to ${placeOf(provider.url)}, so another host asks for it again.`
            : provider?.keyed
              ? "Empty: the sealed key stays. It cannot be shown."
              : "It is sealed, sent to this host and no other, and never shown again."
        }
      >
        <input className="input mono" type="password" value={form.api_key} disabled={form.away} autoComplete="new-password" placeholder={provider?.keyed ? "sealed" : "none"} onChange={(event) => set({ api_key: event.target.value })} />
      </Field>
      {provider?.keyed && (
        <label className="checks-line">
          <input type="checkbox" checked={form.away} onChange={(event) => set({ away: event.target.checked, api_key: "" })} />
          <span>Take the key away; this provider needs none.</span>
        </label>
      )}
      <fieldset className="plain">
        <legend>Patience, in seconds</legend>
        <div className="pair">
          {PATIENCE.map(([name, label]) => (
            <Field key={name} label={label}>
              <input className="input num" inputMode="decimal" value={form[name]} onChange={(event) => set({ [name]: event.target.value })} />
            </Field>
          ))}
        </div>
      </fieldset>
      <Field label="Note">
        <input className="input" value={form.note} maxLength={2000} onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

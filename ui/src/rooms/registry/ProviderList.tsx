import { useState } from "react";
import { $api } from "../../api/client";
import type { Provider, ProviderCheck } from "../../api/types";
import { Blank, Card, KeyValues, Skeleton, Status, Time } from "../../kit/basics";
import { Field, FormDialog, Refused, TypedName } from "../../kit/Dialog";
import { Choose, Filters, holds, Words } from "../../kit/filters";
import { duration, plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { ProviderForm } from "./ProviderForm";
import { PATIENCE, placeOf } from "./providers";

const SPEAKS: Record<Provider["kind"], string> = { openai: "OpenAI", anthropic: "Anthropic" };

const COLUMNS: Column<Provider>[] = [
  { key: "name", label: "Provider", width: "minmax(120px,1fr)", cell: (p) => p.name },
  { key: "kind", label: "Speaks", width: "88px", cell: (p) => SPEAKS[p.kind] },
  { key: "url", label: "URL", width: "minmax(220px,2fr)", cell: (p) => <code className="dim">{p.url}</code> },
  { key: "key", label: "Key", width: "104px", cell: (p) => <KeyState keyed={p.keyed} /> },
  { key: "wait", label: "Waits at most", width: "96px", numeric: true, cell: (p) => <span className="num">{duration(p.total_seconds * 1000)}</span> },
  { key: "note", label: "Note", width: "minmax(100px,1fr)", cell: (p) => <span className="dim">{p.note || "–"}</span> },
  { key: "changed", label: "Changed", width: "92px", cell: (p) => <Time at={p.changed_at} /> },
];

function KeyState({ keyed }: { keyed: boolean }) {
  return <Status state={keyed ? "sealed" : "unset"} label={keyed ? "sealed" : "no key"} />;
}

/** Servers of models elsewhere: how they are reached, whether they answer, and what they serve. */
export function ProviderList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const [adding, setAdding] = useState(false);
  const query = $api.useInfiniteQuery("get", "/providers", { params: { query: { limit: 100 } } }, PAGES);
  const writes = may(who.data, "provider.write");
  return (
    <Page
      title="Providers"
      flush
      actions={<Primary may={writes} go={() => setAdding(true)}>Create a provider</Primary>}
    >
      <Filters>
        <Words placeholder="Name, URL or note" />
        <Choose name="kind" label="Speaks" any="Any dialect" choices={[{ value: "openai", label: "OpenAI" }, { value: "anthropic", label: "Anthropic" }]} />
      </Filters>
      <List
        label="Providers"
        noun="provider"
        {...paged(query, (one) => (!url.kind || one.kind === url.kind) && holds(url.q, one.name, one.url, one.note))}
        columns={COLUMNS}
        id={(one) => one.name}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(one) => one.name}
        peek={(one) => <Detail key={one.name} provider={one} writes={writes} />}
        blank={
          <Blank
            icon="provider"
            narrowed={Boolean(url.q || url.kind) && "No provider matches"}
            title="No providers yet"
            text="A provider is a server of models elsewhere: a vendor, or a vLLM, SGLang or Ollama of your own. Its models answer behind deployments as local ones do."
            code={`mainspring provider create acme https://models.example.org/v1\nmainspring model connect assistant acme org/assistant-large`}
          />
        }
      />
      {adding && <ProviderForm close={() => setAdding(false)} done={(peek) => setUrl({ peek })} />}
    </Page>
  );
}

function Detail({ provider, writes }: { provider: Provider; writes: boolean }) {
  const who = useWho();
  const outcome = useOutcome();
  const [, setUrl] = useUrl();
  const [asking, setAsking] = useState<"change" | "forget">();
  const gone = () => setUrl({ peek: undefined });
  const forget = $api.useMutation("delete", "/providers/{name}", outcome(`${provider.name} is forgotten.`, { done: gone, quiet: true }));
  const check = $api.useMutation("post", "/providers/{name}/check");
  const call = { params: { path: { name: provider.name } } };
  return (
    <div className="stack">
      <div className="row">
        {may(who.data, "provider.use") && (
          <button type="button" className="btn primary" disabled={check.isPending} onClick={() => check.mutate(call)}>
            {check.isPending ? "Asking…" : "Check it now"}
          </button>
        )}
        {writes && (
          <>
            <button type="button" className="btn" onClick={() => setAsking("change")}>
              Change
            </button>
            <button type="button" className="btn danger" onClick={() => setAsking("forget")}>
              Forget
            </button>
          </>
        )}
      </div>
      <KeyValues
        items={[
          ["Speaks", SPEAKS[provider.kind]],
          ["URL", <code key="u">{provider.url}</code>],
          ["Key", <span key="k" className="row wrap"><KeyState keyed={provider.keyed} />{provider.keyed && <span className="dim">for {placeOf(provider.url)} only</span>}</span>],
          ...PATIENCE.map(([name, label]): [string, string] => [label, `within ${duration(provider[name] * 1000)}`]),
          ["Note", provider.note || <span className="dim">none</span>],
          ["Added", <span key="a"><Time at={provider.created_at} /> by {provider.created_by}</span>],
          ["Changed", <span key="c"><Time at={provider.changed_at} /> by {provider.changed_by}</span>],
        ]}
      />
      {(check.data || check.error || check.isPending) && (
        <Card title="How it answers">{check.error ? <Refused error={check.error} /> : check.data ? <Checked provider={provider.name} check={check.data} /> : <Skeleton lines={3} />}</Card>
      )}
      {asking === "change" && <ProviderForm provider={provider} close={() => setAsking(undefined)} done={() => check.reset()} />}
      {asking === "forget" && (
        <TypedName title={`Forget ${provider.name}`} name={provider.name} label="Forget" busy={forget.isPending} error={forget.error} close={() => setAsking(undefined)} go={() => forget.mutate(call)}>
          Its key is destroyed, and the models that it serves answer no more until there is a provider of its name.
        </TypedName>
      )}
    </div>
  );
}

function Checked({ provider, check }: { provider: string; check: ProviderCheck }) {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const [connecting, setConnecting] = useState<string>();
  const shown = check.models.filter((name) => holds(url.find, name));
  return (
    <div className="stack">
      <div className="row wrap">
        <Status state={check.ok ? "ok" : "failed"} label={check.ok ? "answers" : "does not answer"} />
        <span className="dim">
          {check.status > 0 && `status ${check.status}, `}
          {duration(check.milliseconds)}
        </span>
      </div>
      {check.message && <p>{check.message}</p>}
      {check.models.length > 8 && (
        <input className="input" type="search" aria-label="Find a model" placeholder={`Find among ${plural(check.models.length, "model")}`} value={url.find ?? ""} onChange={(event) => setUrl({ find: event.target.value || undefined })} />
      )}
      {check.models.length > 0 && (
        <ul className="pick-rows" tabIndex={0} aria-label="Models that it serves">
          {shown.slice(0, 200).map((name) => (
            <li key={name} className="row served">
              <code className="cut grow">{name}</code>
              {may(who.data, "model.write") && (
                <button type="button" className="btn quiet" onClick={() => setConnecting(name)}>
                  Connect
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      {connecting && <Connect provider={provider} remote={connecting} close={() => setConnecting(undefined)} />}
    </div>
  );
}

function Connect({ provider, remote, close }: { provider: string; remote: string; close: () => void }) {
  const outcome = useOutcome();
  const [name, setName] = useState(remote.split("/").at(-1)!.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+/, ""));
  const connect = $api.useMutation("post", "/models/{name}/connect", outcome((made: { ref: string }) => `${made.ref} may be pinned by releases.`, { done: close, quiet: true }));
  return (
    <FormDialog
      title="Connect as a model"
      close={close}
      ready={NAME.test(name) && !connect.isPending}
      label="Connect"
      error={connect.error}
      go={() => connect.mutate({ params: { path: { name } }, body: { provider, remote, context: 0, license: "", note: "" } })}
    >
      <p className="dim">
        A version of a model stands for <code>{remote}</code> at {provider}, so that a release can pin it and a gate can check it.
      </p>
      <Field label="Name">
        <input className="input" value={name} data-autofocus onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

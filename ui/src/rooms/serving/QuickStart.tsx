import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { toError } from "../../api/client";
import type { NewKey } from "../../api/types";
import { Card, Id, Segments, Snippet } from "../../kit/basics";
import { Refused } from "../../kit/Dialog";
import { duration } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { Page, Primary } from "../../kit/page";
import { may, useWho } from "../../shell/session";
import { NewKeyForm, Secret } from "../workspace/NewKey";
import { CLIENTS, environment, INSTALL, program, type Client } from "./snippets";

const PLACEHOLDER = "ms_…";

/** From a key to the first answer: the lines to copy, with the reader's own key, server and model in them. */
export function QuickStart() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const [made, setMade] = useState<NewKey>();
  const [making, setMaking] = useState(false);
  const client = CLIENTS.find((one) => one === url.client) ?? "curl";
  const models = useModels(made?.secret);
  const model = (models.data?.includes(url.model ?? "") ? url.model : models.data?.[0]) ?? "";
  const asked = { origin: location.origin, key: made?.secret ?? PLACEHOLDER, model: model || "<deployment>" };
  return (
    <Page title="Quick start">
      <ol className="steps">
        <li>
          <b aria-hidden="true">1</b>
          <Card title="A key">
            {made ? (
              <Secret value={made.secret} />
            ) : making ? (
              <NewKeyForm made={setMade} close={() => setMaking(false)} />
            ) : (
              <div className="row wrap">
                <Primary may={may(who.data, "key.write")} go={() => setMaking(true)}><Icon name="key" size={14} /> Create a key</Primary>
                <span className="dim">
                  A key is shown once, and stands in the lines below while this page is open. Have one already? Put it where they say <code>{PLACEHOLDER}</code>. <Link className="link" to="/keys">All keys</Link>
                </span>
              </div>
            )}
          </Card>
        </li>
        <li>
          <b aria-hidden="true">2</b>
          <Card title="A model" actions={<span className="dim">{made ? "what the new key may ask for" : "what your key may ask for"}</span>}>
            <div className="stack tight">
              <Refused error={models.error} />
              {models.data?.length === 0 ? (
                <>
                  <p className="dim">There is nothing to ask for yet. Fetch the small model that comes with Mainspring, or connect a <Link className="link" to="/providers">provider</Link>:</p>
                  <Snippet code="mainspring model pull smollm2" />
                </>
              ) : (
                <label className="row wrap">
                  <span className="sr">Model</span>
                  <select className="select" aria-label="Model" value={model} disabled={!models.data} onChange={(event) => setUrl({ model: event.target.value })}>
                    {groups(models.data ?? []).map(([label, names]) => (
                      <optgroup key={label} label={label}>
                        {names.map((name) => (
                          <option key={name}>{name}</option>
                        ))}
                      </optgroup>
                    ))}
                  </select>
                  <span className="dim">A deployment&apos;s name stays when the release behind it changes.</span>
                </label>
              )}
            </div>
          </Card>
        </li>
        <li>
          <b aria-hidden="true">3</b>
          <Card title="A call" actions={<Segments value={client} options={CLIENTS} label="Client" onChange={(next: Client) => setUrl({ client: next === "curl" ? undefined : next })} />}>
            <div className="stack tight">
              {INSTALL[client] && <Snippet code={INSTALL[client]} label="Copy the installation" />}
              <Snippet code={environment(client, asked)} label="Copy the environment" />
              <Snippet code={program(client, asked)} label="Copy the program" />
              <p className="dim">
                {client === "Traces"
                  ? "Traces of programs that do not ask through the gateway come in by OpenTelemetry: GenAI, OpenInference and older attributes are understood."
                  : "Streaming, tools, JSON schemas and images go through as the client sends them. Every answer names its trace and release in its headers."}
              </p>
            </div>
          </Card>
        </li>
        <li>
          <b aria-hidden="true">4</b>
          <Try model={model} secret={made?.secret} />
        </li>
      </ol>
    </Page>
  );
}

function groups(names: string[]): [string, string[]][] {
  const kinds: [string, (name: string) => boolean][] = [
    ["Deployments", (name) => !name.includes("/")],
    ["Releases", (name) => name.startsWith("release/")],
    ["Models", (name) => name.startsWith("model/")],
    ["Others", (name) => name.includes("/") && !/^(release|model)\//.test(name)],
  ];
  return kinds.map(([label, is]): [string, string[]] => [label, names.filter(is)]).filter(([, found]) => found.length > 0);
}

/** What a key may name in `model`: the gateway's own list. Embedding models are no use for a first call. */
function useModels(secret: string | undefined) {
  return useQuery({
    queryKey: ["v1-models", secret?.split("_")[1] ?? ""],
    queryFn: async (): Promise<string[]> => {
      const body = (await ask("/v1/models", secret)) as { data: { id: string }[] };
      return body.data.map((one) => one.id).filter((id) => !id.startsWith("embed-"));
    },
  });
}

async function ask(path: string, secret: string | undefined, body?: object): Promise<unknown> {
  const headers = { "content-type": "application/json", ...(secret ? { authorization: `Bearer ${secret}` } : {}) };
  const response = await fetch(path, { method: body ? "POST" : "GET", headers, credentials: secret ? "omit" : "same-origin", body: body && JSON.stringify(body) });
  if (!response.ok) throw await toError(response);
  const answer = (await response.json()) as object;
  return { ...answer, trace: response.headers.get("x-mainspring-trace-id") ?? "" };
}

interface Heard {
  text: string;
  /** Why the answer ended. */
  reason: string;
  trace: string;
  ms: number;
}

/** One real call, with the new key or the session's. */
function Try({ model, secret }: { model: string; secret: string | undefined }) {
  const [heard, setHeard] = useState<Heard>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    setError(undefined);
    const begun = performance.now();
    try {
      const body = { model, max_tokens: 64, messages: [{ role: "user", content: "Hello" }] };
      const found = (await ask("/v1/chat/completions", secret, body)) as { choices: { message: { content: string }; finish_reason: string }[]; trace: string };
      setHeard({ text: found.choices[0]?.message.content ?? "", reason: found.choices[0]?.finish_reason ?? "", trace: found.trace, ms: performance.now() - begun });
    } catch (caught) {
      setError(caught);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card
      title="Try it from here"
      actions={
        <button type="button" className="btn" disabled={!model || busy} onClick={() => void send()}>
          <Icon name="start" size={14} /> {busy ? "Asking…" : "Say hello"}
        </button>
      }
    >
      <div className="stack tight" aria-live="polite">
        <Refused error={error} />
        {heard ? (
          <>
            {heard.text && <p className="found">{heard.text}</p>}
            {heard.reason === "content_filter" && <p className="notice warn">The guard of the release stopped the answer.</p>}
            {heard.reason === "length" && <p className="dim">Cut off after 64 tokens.</p>}
            <p className="row wrap dim">
              {duration(heard.ms)}
              {heard.trace && (
                <span className="row">
                  <Link className="link" to={`/traces/${heard.trace}`}>its trace</Link> <Id value={heard.trace} />
                </span>
              )}
            </p>
          </>
        ) : (
          !error && <p className="dim">{secret ? "Sends one call with the new key" : "Sends one call as you"}, and shows the answer with its trace.</p>
        )}
      </div>
    </Card>
  );
}

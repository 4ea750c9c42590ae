import { useState } from "react";
import { $api } from "../../api/client";
import type { PromptVersion, Row } from "../../api/types";
import { Blank } from "../../kit/basics";
import { Dialog, FormDialog } from "../../kit/Dialog";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { Show } from "../../kit/page";
import { DatasetField } from "../data/DatasetField";
import { bodyOf, parametersOf, used } from "./ask";
import type { Answer, Draft } from "./state";

/** Keep a variant as a version of a prompt. */
export function SaveVersion({ draft, close, saved }: { draft: Draft; close: () => void; saved: (made: PromptVersion) => void }) {
  const outcome = useOutcome();
  const [name, setName] = useState(draft.ref.replace(/^prompt\/|@.*$/g, ""));
  const [note, setNote] = useState("");
  const commit = $api.useMutation("post", "/prompts/{name}/versions", outcome((made: PromptVersion) => (made.existed ? `${made.ref} has this content already.` : `Saved as ${made.ref}.`), { done: saved }));
  return (
    <FormDialog
      title="Save as a version"
      close={close}
      ready={NAME.test(name) && !commit.isPending}
      label="Save"
      go={() => commit.mutate({ params: { path: { name } }, body: { ...bodyOf(draft), variables: used(draft), parameters: parametersOf(draft), note } })}
    >
      <label className="field">
        <span>Prompt</span>
        <input className="input" value={name} data-autofocus placeholder="greet" onChange={(event) => setName(event.target.value)} />
      </label>
      <label className="field">
        <span>Note</span>
        <input className="input" value={note} placeholder="What is better" maxLength={20_000} onChange={(event) => setNote(event.target.value)} />
      </label>
    </FormDialog>
  );
}

/** Keep what was sent and what was answered as a row of a dataset. */
export function KeepAnswer({ draft, answer, close }: { draft: Draft; answer: Answer; close: () => void }) {
  const outcome = useOutcome();
  const [name, setName] = useState("");
  const append = $api.useMutation("post", "/datasets/{name}/rows", outcome((made: { ref: string }) => `Added to ${made.ref}.`, { done: close }));
  const meta = { trace_id: answer.traceId, model: draft.model, prompt: draft.same ? draft.ref : undefined };
  const row = {
    id: `playground-${answer.traceId}`,
    messages: [...answer.sent, { role: "assistant" as const, content: answer.text }],
    text: "",
    group: "",
    split: "" as const,
    meta: Object.fromEntries(Object.entries(meta).filter(([, value]) => value)),
  };
  return (
    <FormDialog
      title="Add to a dataset"
      close={close}
      ready={NAME.test(name) && !append.isPending}
      label="Add"
      go={() => append.mutate({ params: { path: { name } }, body: { added: [row], note: "from the playground" } })}
    >
      <DatasetField value={name} set={setName} placeholder="good-answers" />
      <p className="faint">The messages that were sent and the answer become a row of a new version, linked to the trace.</p>
    </FormDialog>
  );
}

const MOST = 20;

/** Choose rows of a dataset, each of which becomes a case. */
export function PickRows({ close, chosen }: { close: () => void; chosen: (rows: Row[], dataset: string) => void }) {
  const datasets = $api.useQuery("get", "/datasets", { params: { query: { limit: 200 } } });
  const [picked, setPicked] = useState("");
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const name = picked || datasets.data?.items[0]?.name || "";
  const rows = $api.useQuery("get", "/datasets/{name}/rows", { params: { path: { name }, query: { limit: 50 } } }, { enabled: name !== "" });
  const version = datasets.data?.items.find((one) => one.name === name);
  if (datasets.data?.items.length === 0)
    return (
      <Dialog title="Rows of a dataset" close={close}>
        <Blank small icon="data" title="No datasets yet" code="mainspring dataset import faq faq.jsonl" />
      </Dialog>
    );
  return (
    <FormDialog
      title="Rows of a dataset"
      close={close}
      size={720}
      ready={marked.size > 0}
      label={marked.size === 1 ? "Add 1 case" : `Add ${marked.size} cases`}
      go={() => chosen(rows.data?.items.filter((row) => marked.has(row.id)) ?? [], version?.ref ?? name)}
    >
      <label className="field">
        <span>Dataset</span>
        <select
          className="select"
          value={name}
          data-autofocus
          onChange={(event) => {
            setPicked(event.target.value);
            setMarked(new Set());
          }}
        >
          {datasets.data?.items.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name} ({one.rows} rows)
            </option>
          ))}
        </select>
      </label>
      <Show query={rows} lines={5}>
        {(page) => (
          <ul className="pick-rows" tabIndex={0} aria-label="Rows">
            {page.items.map((row) => (
              <li key={row.id}>
                <label>
                  <input
                    type="checkbox"
                    checked={marked.has(row.id)}
                    disabled={!marked.has(row.id) && marked.size >= MOST}
                    onChange={(event) => {
                      const next = new Set(marked);
                      if (event.target.checked) next.add(row.id);
                      else next.delete(row.id);
                      setMarked(next);
                    }}
                  />
                  <code>{row.id}</code>
                  <span className="cut">{row.messages?.find((message) => message.role === "user")?.content ?? row.text}</span>
                </label>
              </li>
            ))}
          </ul>
        )}
      </Show>
    </FormDialog>
  );
}

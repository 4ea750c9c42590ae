import { useState } from "react";
import { $api } from "../../api/client";
import type { LabelProtection, PromptVersion } from "../../api/types";
import { Blank, Card, Status } from "../../kit/basics";
import { Table } from "../../kit/list";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { Show } from "../../kit/page";
import { Moves } from "../../kit/Versioned";
import { may, useWho } from "../../shell/session";

/** Where a prompt's labels point, who may move them, and where they pointed before. */
export function Labels({ prompt }: { prompt: PromptVersion }) {
  const history = $api.useQuery("get", "/prompts/{name}/history", { params: { path: { name: prompt.name }, query: { limit: 200 } } });
  const guarded = $api.useQuery("get", "/prompt-labels", { params: { query: { limit: 1000 } } });
  const protections = new Map(guarded.data?.items.map((one) => [one.label, one]));
  return (
    <div className="columns">
      <div className="stack">
        <Show query={history} lines={3}>
          {(page) => {
            const now = new Map<string, number | null | undefined>();
            for (const move of page.items) if (!now.has(move.alias)) now.set(move.alias, move.number);
            const labels = [...now].filter(([, number]) => number != null).sort();
            if (page.items.length === 0)
              return <Blank small icon="prompt" title="No label was ever set" text="A label such as production says which version is used." code={`mainspring prompt label ${prompt.name} production`} />;
            return (
              <>
                <Card title="Labels now" flush>
                  <Table
                    label="Labels now"
                    items={labels}
                    id={([label]) => label}
                    columns={[
                      { key: "label", label: "Label", cell: ([label]) => <span className="tag">{label}</span> },
                      { key: "at", label: "Version", cell: ([, number]) => `@${number}` },
                      { key: "guard", label: "Protection", cell: ([label]) => <Protection of={protections.get(label)} /> },
                      { key: "take", label: "", cell: ([label]) => <Remove prompt={prompt} label={label} guarded={protections.get(label)} /> },
                    ]}
                  />
                </Card>
                <Card title="History" flush>
                  <Moves moves={page.items} label="Moves of labels" noun="Label" />
                </Card>
              </>
            );
          }}
        </Show>
      </div>
      <Move prompt={prompt} protections={protections} />
    </div>
  );
}

function Protection({ of }: { of: LabelProtection | undefined }) {
  if (!of) return <span className="faint">none</span>;
  return (
    <span title={`Moving it needs the permission ${of.permission}.`}>
      <Status state="log" label={`protected: ${of.roles.join(", ")}`} />
    </span>
  );
}

function Remove({ prompt, label, guarded }: { prompt: PromptVersion; label: string; guarded: LabelProtection | undefined }) {
  const who = useWho();
  const outcome = useOutcome();
  const remove = $api.useMutation("delete", "/prompts/{name}/labels/{label}", outcome(`${label} was taken away.`));
  const allowed = may(who.data, "prompt.label") && (!guarded || may(who.data, guarded.permission));
  return (
    <button
      type="button"
      className="btn quiet"
      disabled={!allowed || remove.isPending}
      aria-label={`Remove ${label}`}
      onClick={() => remove.mutate({ params: { path: { name: prompt.name, label }, query: {} } })}
    >
      Remove
    </button>
  );
}

function Move({ prompt, protections }: { prompt: PromptVersion; protections: Map<string, LabelProtection> }) {
  const who = useWho();
  const outcome = useOutcome();
  const [label, setLabel] = useState("");
  const [note, setNote] = useState("");
  const move = $api.useMutation("put", "/prompts/{name}/labels/{label}", outcome(`${label} points at ${prompt.ref}.`));
  const guarded = protections.get(label);
  const refused = guarded && !may(who.data, guarded.permission);
  const valid = NAME.test(label);
  return (
    <Card title={`Point a label at version ${prompt.number}`}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) move.mutate({ params: { path: { name: prompt.name, label } }, body: { selector: String(prompt.number), note } });
        }}
      >
        <label className="field">
          <span>Label</span>
          <input className="input" list="label-names" value={label} placeholder="production" onChange={(event) => setLabel(event.target.value.trim())} />
        </label>
        <datalist id="label-names">
          {[...new Set(["production", "staging", ...protections.keys(), ...(prompt.labels ?? [])])].map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <label className="field">
          <span>Note</span>
          <input className="input" value={note} placeholder="Why" maxLength={20_000} onChange={(event) => setNote(event.target.value)} />
        </label>
        {guarded && (
          <p className={refused ? "notice warn" : "notice info"} role={refused ? "alert" : undefined}>
            {refused
              ? `This label is protected: moving it needs ${guarded.permission}, which ${guarded.roles.join(" and ")} hold.`
              : "This label is protected: what follows it changes at once."}
          </p>
        )}
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <button type="submit" className="btn primary" disabled={!valid || refused || move.isPending || !may(who.data, "prompt.label")}>
            Move the label
          </button>
        </div>
      </form>
    </Card>
  );
}

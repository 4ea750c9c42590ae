import { useDebouncedValue } from "@mantine/hooks";
import { useEffect } from "react";
import { $api } from "../../api/client";
import type { PromptMessage, PromptVariable } from "../../api/types";
import { Icon } from "../../kit/icons";
import { bodyOf, released } from "./ask";
import type { Draft } from "./state";

const ROLES = ["system", "user", "assistant"] as const;

/** One variant: a prompt's text or another, a model, and parameters. */
export function Variant(props: {
  draft: Draft;
  title: string;
  prompts: string[];
  /** What may be asked, by kind. */
  targets: Record<string, string[]>;
  change: (draft: Draft) => void;
  pick: (ref: string) => void;
  remove?: () => void;
  copy: () => void;
  save?: () => void;
}) {
  const { draft, change } = props;
  const edit = (messages: PromptMessage[]) => change({ ...draft, messages, same: false });
  const set = (index: number, more: Partial<PromptMessage>) => edit(draft.messages.map((message, at) => (at === index ? { ...message, ...more } : message)));
  const label = (what: string) => `${what} of ${props.title}`;
  const known = draft.ref && !props.prompts.includes(draft.ref);
  return (
    <section className="variant" aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {draft.ref && !draft.same && <span className="tag">changed</span>}
        <span className="page-actions">
          {props.save && (
            <button type="button" className="btn quiet" onClick={props.save}>
              Save as a version
            </button>
          )}
          <button type="button" className="btn icon quiet" aria-label={`Copy ${props.title}`} onClick={props.copy}>
            <Icon name="copy" size={14} />
          </button>
          {props.remove && (
            <button type="button" className="btn icon quiet" aria-label={`Remove ${props.title}`} onClick={props.remove}>
              <Icon name="cross" size={14} />
            </button>
          )}
        </span>
      </header>
      <div className="variant-pick">
        <select className="select" aria-label={label("Prompt")} value={draft.ref} onChange={(event) => props.pick(event.target.value)}>
          <option value="">a text of its own</option>
          {known && <option value={draft.ref}>{draft.ref}</option>}
          {props.prompts.map((ref) => (
            <option key={ref} value={ref}>
              {ref}
            </option>
          ))}
        </select>
        <select className="select" aria-label={label("Model")} value={draft.model} onChange={(event) => change({ ...draft, model: event.target.value })}>
          {draft.model && !Object.values(props.targets).some((refs) => refs.includes(draft.model)) && <option value={draft.model}>{draft.model}</option>}
          {Object.entries(props.targets).map(
            ([kind, refs]) =>
              refs.length > 0 && (
                <optgroup key={kind} label={kind}>
                  {refs.map((ref) => (
                    <option key={ref} value={ref}>
                      {ref}
                    </option>
                  ))}
                </optgroup>
              ),
          )}
        </select>
      </div>
      {released(draft) && <p className="faint">A release brings its own prompt, guard and parameters: it is sent the messages below but the system&apos;s, filled in.</p>}
      <div className="variant-text">
        {draft.messages.map((message, index) => (
          <div key={index} className="variant-message">
            {draft.kind === "chat" && (
              <div className="row">
                <select className="select small" aria-label={label(`Role of message ${index + 1}`)} value={message.role} onChange={(event) => set(index, { role: event.target.value as PromptMessage["role"] })}>
                  {ROLES.map((role) => (
                    <option key={role}>{role}</option>
                  ))}
                </select>
                {draft.messages.length > 1 && (
                  <button type="button" className="btn icon quiet" aria-label={label(`Remove message ${index + 1}`)} onClick={() => edit(draft.messages.filter((_, at) => at !== index))}>
                    <Icon name="cross" size={12} />
                  </button>
                )}
              </div>
            )}
            <textarea
              className="area mono"
              aria-label={label(`Message ${index + 1}`)}
              rows={Math.min(10, Math.max(2, message.content.split("\n").length))}
              value={message.content}
              spellCheck={false}
              onChange={(event) => set(index, { content: event.target.value })}
            />
          </div>
        ))}
        {draft.kind === "chat" && (
          <button type="button" className="btn quiet" onClick={() => edit([...draft.messages, { role: "user", content: "" }])}>
            Add a message
          </button>
        )}
      </div>
      {!released(draft) && (
        <div className="variant-numbers">
          <Number label="Temperature" of={label} value={draft.temperature} step="0.1" max={2} set={(temperature) => change({ ...draft, temperature })} />
          <Number label="Max tokens" of={label} value={draft.maxTokens} step="1" max={32768} set={(maxTokens) => change({ ...draft, maxTokens })} />
          <Number label="Seed" of={label} value={draft.seed} step="1" max={2147483647} set={(seed) => change({ ...draft, seed })} />
          {draft.schema && (
            <label className="row whole">
              <input type="checkbox" checked={draft.held} onChange={(event) => change({ ...draft, held: event.target.checked })} /> Hold to the schema
            </label>
          )}
        </div>
      )}
    </section>
  );
}

function Number(props: { label: string; of: (what: string) => string; value: string; step: string; max: number; set: (value: string) => void }) {
  return (
    <label className="field">
      <span>{props.label}</span>
      <input className="input" type="number" min={0} max={props.max} step={props.step} value={props.value} aria-label={props.of(props.label)} onChange={(event) => props.set(event.target.value)} />
    </label>
  );
}

/** Asks the server what variables a draft uses, and what is wrong with it; an unchanged version is known. */
export function Checked({ draft, found }: { draft: Draft; found: (variables: Record<string, PromptVariable>) => void }) {
  const [body] = useDebouncedValue(JSON.stringify(bodyOf(draft)), 250);
  const query = $api.useQuery(
    "post",
    "/prompts/{name}/check",
    { params: { path: { name: "draft" } }, body: JSON.parse(body) as ReturnType<typeof bodyOf> },
    { enabled: !draft.same, retry: false, staleTime: Infinity, placeholderData: (old) => old },
  );
  const variables = draft.same ? draft.variables : query.data?.variables;
  useEffect(() => {
    if (variables) found(variables);
  }, [variables, found]);
  if (draft.same || !query.error) return null;
  return (
    <p className="notice error" role="alert">
      {(query.error as unknown as Error).message}
    </p>
  );
}

import { useState } from "react";
import { $api } from "../../api/client";
import type { GuardRule, GuardVersion } from "../../api/types";
import { Field, FormDialog, NameField } from "../../kit/Dialog";
import { Icon } from "../../kit/icons";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { ACTIONS, draftOf, ruleOf, SIDES, type RuleDraft } from "./rules";

const MESSAGE = "The request was refused by the guard policy.";

/** Makes a policy, or the next version of one; versions never change, so releases that pin an older one keep it. */
export function PolicyForm({ guard, close, done }: { guard?: GuardVersion; close: () => void; done: (made: GuardVersion) => void }) {
  const outcome = useOutcome();
  const detectors = $api.useQuery("get", "/detectors", {});
  const [name, setName] = useState(guard?.name ?? "");
  const [message, setMessage] = useState(guard?.policy.message ?? MESSAGE);
  const [note, setNote] = useState("");
  const [rules, setRules] = useState<RuleDraft[]>(() => (guard?.policy.rules ?? [{ detector: "pii", action: "mask" as const }]).map(draftOf));
  const [wrong, setWrong] = useState<Error>();
  const finish = (made: GuardVersion) => {
    close();
    done(made);
  };
  const said = (made: GuardVersion) => (made.existed ? `${made.ref} has these rules already.` : `Saved as ${made.ref}.`);
  const save = $api.useMutation("post", "/guards/{name}/versions", outcome(said, { done: finish, quiet: true }));
  const set = (key: number, more: Partial<RuleDraft>) => setRules(rules.map((rule) => (rule.key === key ? { ...rule, ...more } : rule)));
  const submit = () => {
    let found: GuardRule[];
    try {
      found = rules.map(ruleOf);
    } catch (error) {
      setWrong(error as Error);
      return;
    }
    setWrong(undefined);
    save.mutate({ params: { path: { name } }, body: { rules: found, message, note, timeout_ms: guard?.policy.timeout_ms ?? 0 } });
  };
  return (
    <FormDialog
      title={guard ? `Create a version of ${guard.name}` : "Create a policy"}
      close={close}
      size={680}
      stays
      ready={NAME.test(name) && rules.length > 0 && !save.isPending}
      label="Create"
      error={wrong ?? save.error}
      go={submit}
    >
      {!guard && (
        <NameField value={name} set={setName} placeholder="usual" />
      )}
      <ol className="rules" aria-label="Rules">
        {rules.map((rule, index) => (
          <RuleFields
            key={rule.key}
            rule={rule}
            number={index + 1}
            detectors={detectors.data ?? []}
            set={(more) => set(rule.key, more)}
            remove={() => setRules(rules.filter((other) => other.key !== rule.key))}
          />
        ))}
      </ol>
      <div>
        <button type="button" className="btn" disabled={rules.length >= 32} onClick={() => setRules([...rules, draftOf({ detector: "secrets", action: "mask" })])}>
          Add a rule
        </button>
      </div>
      <Field label="What a caller is told when a rule blocks">
        <input className="input" value={message} maxLength={500} onChange={(event) => setMessage(event.target.value)} />
      </Field>
      <Field label="Note">
        <input className="input" value={note} placeholder="What is better" onChange={(event) => setNote(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

function RuleFields(props: { rule: RuleDraft; number: number; detectors: { name: string; summary: string }[]; set: (more: Partial<RuleDraft>) => void; remove: () => void }) {
  const { rule, set } = props;
  const known = props.detectors.find((one) => one.name === rule.detector);
  const label = (what: string) => `${what} of rule ${props.number}`;
  return (
    <li>
      <div className="pair">
        <Field label="Looks for">
          <select className="select" aria-label={label("Detector")} value={rule.detector} onChange={(event) => set({ detector: event.target.value })}>
            {!known && <option value={rule.detector}>{rule.detector}</option>}
            {props.detectors.map((one) => (
              <option key={one.name}>{one.name}</option>
            ))}
          </select>
        </Field>
        <Field label="On">
          <select className="select" aria-label={label("Side")} value={rule.on} onChange={(event) => set({ on: event.target.value as RuleDraft["on"] })}>
            {SIDES.map((side) => (
              <option key={side} value={side}>
                {side === "both" ? "input and output" : side}
              </option>
            ))}
          </select>
        </Field>
        <Field label="Then">
          <select className="select" aria-label={label("Action")} value={rule.action} onChange={(event) => set({ action: event.target.value as RuleDraft["action"] })}>
            {ACTIONS.map((action) => (
              <option key={action}>{action}</option>
            ))}
          </select>
        </Field>
        <Field label="From score">
          <input className="input num" inputMode="decimal" aria-label={label("Threshold")} value={rule.threshold} onChange={(event) => set({ threshold: event.target.value })} />
        </Field>
      </div>
      {known && <p className="dim">{known.summary}</p>}
      {rule.detector === "terms" && (
        <Field label="Words or phrases, one a line">
          <textarea className="area" aria-label={label("Terms")} value={rule.terms} onChange={(event) => set({ terms: event.target.value })} />
        </Field>
      )}
      <details>
        <summary>More options</summary>
        <div className="stack tight">
          <Field label="Kinds that count" note="Such as email, card. Empty: all.">
            <input className="input mono" value={rule.kinds} onChange={(event) => set({ kinds: event.target.value })} />
          </Field>
          <Field label="Other options of this detector, as JSON">
            <textarea className="area mono" value={rule.more} placeholder="{ }" spellCheck={false} onChange={(event) => set({ more: event.target.value })} />
          </Field>
        </div>
      </details>
      <div className="row end">
        <button type="button" className="btn quiet" aria-label={`Remove rule ${props.number}`} onClick={props.remove}>
          <Icon name="cross" size={14} /> Remove
        </button>
      </div>
    </li>
  );
}

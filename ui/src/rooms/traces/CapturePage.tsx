import { useState, type ReactNode } from "react";
import { $api } from "../../api/client";
import type { Capture } from "../../api/types";
import { Blank, Card, Time } from "../../kit/basics";
import { Field, Refused } from "../../kit/Dialog";
import { Icon } from "../../kit/icons";
import { useOutcome } from "../../kit/outcome";
import { Page, Show } from "../../kit/page";
import { Options } from "../../kit/filters";
import { may, useWho } from "../../shell/session";
import { Keeping } from "./Keeping";
import { draftOf, emptyMask, emptySample, rulesOf, type Draft, type MaskDraft, type SampleDraft } from "./rules";

/** Which traces are kept, what is taken out of them before anything is written, and for how long they stay. */
export function CapturePage() {
  const rules = $api.useQuery("get", "/capture");
  return (
    <Page title="Capture">
      <div className="stack" style={{ maxWidth: 900 }}>
        <Show query={rules}>{(found) => <Rules key={found.changed_at ?? ""} rules={found} />}</Show>
        <Keeping />
      </div>
    </Page>
  );
}

function Rules({ rules }: { rules: Capture }) {
  const who = useWho();
  const outcome = useOutcome();
  const [draft, setDraft] = useState<Draft>(() => draftOf(rules));
  const writes = may(who.data, "capture.write");
  const checked = rulesOf(draft);
  const before = rulesOf(draftOf(rules));
  const set = $api.useMutation("put", "/capture", outcome("The rules hold within 5 seconds.", { quiet: true }));
  const changed = JSON.stringify(checked) !== JSON.stringify(before);
  const change = (more: Partial<Draft>) => setDraft({ ...draft, ...more });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if ("rules" in checked) set.mutate({ body: checked.rules });
      }}
    >
      <fieldset className="plain stack" disabled={!writes}>
        <Card
          title="Which traces are kept"
          actions={writes && <Add label="Add a sample rule" add={() => change({ sample: [...draft.sample, emptySample()] })} />}
        >
          <div className="stack">
            {draft.sample.length === 0 && <Blank small icon="traces" title="All traces are kept" text="A sample rule keeps a share of those that it fits. The first that fits counts." />}
            {draft.sample.map((rule, at) => (
              <Sample key={at} number={at + 1} rule={rule} change={(next) => change({ sample: draft.sample.map((one, other) => (other === at ? next : one)) })} drop={() => change({ sample: draft.sample.filter((_, other) => other !== at) })} />
            ))}
            {draft.sample.length > 0 && (
              <div className="row wrap">
                <label className="row">
                  <input type="checkbox" checked={draft.keep_errors} onChange={(event) => change({ keep_errors: event.target.checked })} /> keep every trace that failed
                </label>
                <label className="row">
                  keep every trace slower than
                  <input className="input num" style={{ width: 96 }} inputMode="numeric" aria-label="Keep traces slower than, in milliseconds" value={draft.keep_slower_ms} onChange={(event) => change({ keep_slower_ms: event.target.value })} />
                  ms
                </label>
              </div>
            )}
          </div>
        </Card>
        <Card title="What is taken out of them" actions={writes && <Add label="Add a mask rule" add={() => change({ mask: [...draft.mask, emptyMask()] })} />}>
          <div className="stack">
            {draft.mask.length === 0 && <Blank small icon="guard" title="Nothing is taken out" text="A mask rule takes personal data, secrets or words of your own out of fields, before anything is written." />}
            {draft.mask.map((rule, at) => (
              <Mask key={at} number={at + 1} rule={rule} change={(next) => change({ mask: draft.mask.map((one, other) => (other === at ? next : one)) })} drop={() => change({ mask: draft.mask.filter((_, other) => other !== at) })} />
            ))}
          </div>
        </Card>
      </fieldset>
      <Refused error={set.error} />
      <div className="row">
        <span className="faint">
          {rules.changed_at ? (
            <>
              Set <Time at={rules.changed_at} /> by {rules.changed_by}
            </>
          ) : (
            "Nobody has set rules yet"
          )}
        </span>
        {"wrong" in checked && <span role="alert" className="dim">{checked.wrong}</span>}
        {writes && (
          <span className="row end" style={{ marginLeft: "auto" }}>
            <button type="button" className="btn" disabled={!changed} onClick={() => setDraft(draftOf(rules))}>
              Undo the changes
            </button>
            <button type="submit" className="btn primary" disabled={!changed || "wrong" in checked || set.isPending}>
              Set the rules
            </button>
          </span>
        )}
      </div>
    </form>
  );
}

function Add({ label, add }: { label: string; add: () => void }) {
  return (
    <button type="button" className="btn" onClick={add}>
      {label}
    </button>
  );
}

function Line({ label, drop, children }: { label: string; drop: () => void; children: ReactNode }) {
  return (
    <fieldset className="plain rule">
      <legend className="row">
        {label}
        <button type="button" className="btn icon quiet" aria-label={`Remove ${label.toLowerCase()}`} onClick={drop}>
          <Icon name="cross" size={12} />
        </button>
      </legend>
      {children}
    </fieldset>
  );
}

function Sample({ number, rule, change, drop }: { number: number; rule: SampleDraft; change: (next: SampleDraft) => void; drop: () => void }) {
  return (
    <Line label={`Sample rule ${number}`} drop={drop}>
      <div className="pair">
        <Field label="Share kept, %">
          <input className="input num" inputMode="decimal" value={rule.rate} onChange={(event) => change({ ...rule, rate: event.target.value })} />
        </Field>
        {(["environment", "service", "kind"] as const).map((name) => (
          <Field key={name} label={{ environment: "Environment", service: "Service", kind: "Kind" }[name]}>
            <input className="input" placeholder="any" value={rule[name]} onChange={(event) => change({ ...rule, [name]: event.target.value })} />
          </Field>
        ))}
      </div>
    </Line>
  );
}

const ACTIONS: Record<MaskDraft["action"], string> = { mask: "mask what is found", drop: "drop the field", hash: "put a keyed hash in its place" };

function Mask({ number, rule, change, drop }: { number: number; rule: MaskDraft; change: (next: MaskDraft) => void; drop: () => void }) {
  return (
    <Line label={`Mask rule ${number}`} drop={drop}>
      <div className="stack tight">
        <div className="pair">
          <Field label="Fields" note="input, output, name, user_id, attributes.KEY, resource.KEY; * stands for anything.">
            <input className="input mono" value={rule.fields} onChange={(event) => change({ ...rule, fields: event.target.value })} />
          </Field>
          <Field label="What is done">
            <select className="select" value={rule.action} onChange={(event) => change({ ...rule, action: event.target.value as MaskDraft["action"] })}>
              <Options of={ACTIONS} />
            </select>
          </Field>
        </div>
        {rule.action === "mask" && (
          <div className="pair">
            <div className="field">
              <span>Looks for</span>
              {(["pii", "secrets"] as const).map((name) => (
                <label key={name} className="row">
                  <input type="checkbox" checked={rule.detectors[name]} onChange={(event) => change({ ...rule, detectors: { ...rule.detectors, [name]: event.target.checked } })} />
                  {name === "pii" ? "personal data" : "secrets"}
                </label>
              ))}
            </div>
            <Field label="Kinds of hits" note="Such as email, phone; empty: all.">
              <input className="input" value={rule.kinds} onChange={(event) => change({ ...rule, kinds: event.target.value })} />
            </Field>
            <Field label="Words of your own" note="One a line.">
              <textarea className="area" value={rule.terms} onChange={(event) => change({ ...rule, terms: event.target.value })} />
            </Field>
          </div>
        )}
      </div>
    </Line>
  );
}

import { Field } from "../../kit/Dialog";
import { Icon } from "../../kit/icons";
import { BREAKING, condition, OF, RETRYING, ruleDraft, WAITS, type ConditionDraft, type RuleDraft, type TermsDraft } from "./routing";

/** What few routes need: rules, how long each phase may take, and when a candidate is left alone. */
export function RouteTermsForm({ terms, set, candidates }: { terms: TermsDraft; set: (more: Partial<TermsDraft>) => void; candidates: string[] }) {
  return (
    <>
      <fieldset className="plain">
        <legend>Rules: the first that a call meets says which candidates it has</legend>
        <ol className="rules" aria-label="Rules">
          {terms.rules.map((rule, index) => (
            <Rule
              key={rule.key}
              rule={rule}
              number={index + 1}
              candidates={candidates}
              set={(more) => set({ rules: terms.rules.map((one) => (one.key === rule.key ? { ...one, ...more } : one)) })}
              remove={() => set({ rules: terms.rules.filter((one) => one.key !== rule.key) })}
            />
          ))}
        </ol>
        <button type="button" className="btn quiet" disabled={terms.rules.length >= 32} onClick={() => set({ rules: [...terms.rules, ruleDraft()] })}>
          Add a rule
        </button>
      </fieldset>
      <Numbers legend="Retries: how many the traffic bears, and how long each waits" names={RETRYING} values={terms.retrying} set={(retrying) => set({ retrying })} />
      <Numbers legend="How long a candidate may take, in seconds; empty leaves it to its provider" names={WAITS} values={terms.waits} set={(waits) => set({ waits })} />
      <Numbers legend="When a candidate that fails is left alone, and for how long" names={BREAKING} values={terms.breaking} set={(breaking) => set({ breaking })} />
    </>
  );
}

function Numbers<K extends string>(props: { legend: string; names: Readonly<Record<K, string>>; values: Record<K, string>; set: (values: Record<K, string>) => void }) {
  return (
    <fieldset className="plain">
      <legend>{props.legend}</legend>
      <div className="pair">
        {(Object.keys(props.names) as K[]).map((name) => (
          <Field key={name} label={props.names[name]}>
            <input className="input num" inputMode="decimal" value={props.values[name]} onChange={(event) => props.set({ ...props.values, [name]: event.target.value })} />
          </Field>
        ))}
      </div>
    </fieldset>
  );
}

function Rule(props: { rule: RuleDraft; number: number; candidates: string[]; set: (more: Partial<RuleDraft>) => void; remove: () => void }) {
  const { rule, number, set } = props;
  const change = (key: number, more: Partial<ConditionDraft>) => set({ when: rule.when.map((one) => (one.key === key ? { ...one, ...more } : one)) });
  return (
    <li>
      {rule.when.map((one, index) => (
        <Condition
          key={one.key}
          one={one}
          of={`${index + 1} of rule ${number}`}
          set={(more) => change(one.key, more)}
          remove={rule.when.length > 1 ? () => set({ when: rule.when.filter((other) => other.key !== one.key) }) : undefined}
        />
      ))}
      <div className="row wrap">
        <span className="dim">goes to</span>
        {props.candidates.map((target) => (
          <label key={target} className="checks-line">
            <input
              type="checkbox"
              aria-label={`Rule ${number} goes to ${target}`}
              checked={rule.candidates.includes(target)}
              onChange={(event) => set({ candidates: event.target.checked ? [...rule.candidates, target] : rule.candidates.filter((other) => other !== target) })}
            />
            <code>{target}</code>
          </label>
        ))}
      </div>
      <div className="row">
        <button type="button" className="btn quiet" disabled={rule.when.length >= 8} onClick={() => set({ when: [...rule.when, condition()] })}>
          And another condition
        </button>
        <button type="button" className="btn quiet" aria-label={`Remove rule ${number}`} onClick={props.remove}>
          <Icon name="cross" size={14} /> Remove
        </button>
      </div>
    </li>
  );
}

function Condition({ one, of, set, remove }: { one: ConditionDraft; of: string; set: (more: Partial<ConditionDraft>) => void; remove?: () => void }) {
  return (
    <div className="row">
      <select className="select" aria-label={`Condition ${of}`} value={one.of} onChange={(event) => set({ of: event.target.value as ConditionDraft["of"] })}>
        {OF.map((word) => (
          <option key={word}>{word}</option>
        ))}
      </select>
      {named(one) && <input className="input mono bound" aria-label={`Name in condition ${of}`} placeholder="name" value={one.name} onChange={(event) => set({ name: event.target.value })} />}
      <select className="select" aria-label={`Comparison ${of}`} value={one.how} onChange={(event) => set({ how: event.target.value as ConditionDraft["how"] })}>
        <option value="equals">is</option>
        <option value="prefix">begins with</option>
      </select>
      <input className="input grow" aria-label={`Value of condition ${of}`} value={one.value} maxLength={256} onChange={(event) => set({ value: event.target.value })} />
      {remove && (
        <button type="button" className="btn icon quiet" aria-label={`Remove condition ${of}`} onClick={remove}>
          <Icon name="cross" />
        </button>
      )}
    </div>
  );
}

const named = (one: ConditionDraft) => one.of === "header" || one.of === "metadata";

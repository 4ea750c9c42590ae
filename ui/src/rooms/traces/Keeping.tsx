import { useState } from "react";
import { $api } from "../../api/client";
import type { Retention, RetentionRule } from "../../api/types";
import { Card, Time } from "../../kit/basics";
import { Field, Refused, TypedName } from "../../kit/Dialog";
import { Icon } from "../../kit/icons";
import { useOutcome } from "../../kit/outcome";
import { Show } from "../../kit/page";
import { may, useWho } from "../../shell/session";

interface Rule {
  days: string;
  environment: string;
  kind: string;
  /** The rest of it, of which the form changes whether it is for bad traces alone. */
  more: RetentionRule;
}

const ANY: RetentionRule = { days: 7, environment: "", kind: "", bad: false, scores: [], at_most: 0.5, labels: ["bad", "down", "negative", "wrong"], share: 1 };

/** For how long traces stay. */
export function Keeping() {
  const query = $api.useQuery("get", "/retention");
  return (
    <Card title="How long they stay">
      <Show query={query} lines={2}>{(kept) => <Form key={kept.changed_at ?? ""} kept={kept} />}</Show>
    </Card>
  );
}

const whole = (text: string) => /^\d{1,5}$/.test(text.trim());

function Form({ kept }: { kept: Retention }) {
  const who = useWho();
  const outcome = useOutcome();
  const [days, setDays] = useState(String(kept.days));
  const [rules, setRules] = useState<Rule[]>(() => (kept.rules ?? []).map((rule) => ({ days: String(rule.days), environment: rule.environment, kind: rule.kind, more: rule })));
  const set = $api.useMutation("put", "/retention", outcome("The worker erases what is older.", { quiet: true }));
  const writes = may(who.data, "retention.write");
  const [asking, setAsking] = useState(false);
  const body = { days: Number(days), rules: rules.map((rule) => ({ ...rule.more, days: Number(rule.days), environment: rule.environment.trim(), kind: rule.kind.trim() })) };
  const erases = body.days > 0 || body.rules.some((rule) => rule.days > 0);
  const change = (at: number, more: Partial<Rule>) => setRules(rules.map((one, other) => (other === at ? { ...one, ...more } : one)));
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (erases) setAsking(true);
        else set.mutate({ body });
      }}
    >
      <fieldset className="plain stack" disabled={!writes}>
        {rules.map((rule, at) => (
          <div key={at} className="pair">
            <Field label="Environment">
              <input className="input" placeholder="any" value={rule.environment} onChange={(event) => change(at, { environment: event.target.value })} />
            </Field>
            <Field label="Kind">
              <input className="input" placeholder="any" value={rule.kind} onChange={(event) => change(at, { kind: event.target.value })} />
            </Field>
            <Field label="Which">
              <select className="select" value={rule.more.bad ? "bad" : ""} onChange={(event) => change(at, { more: { ...rule.more, bad: event.target.value === "bad" } })}>
                <option value="">all of them</option>
                <option value="bad">with errors or low scores</option>
              </select>
            </Field>
            <Field label="Days" note={rule.more.share < 1 ? `${Math.round(rule.more.share * 100)} % of them` : undefined}>
              <input className="input num" inputMode="numeric" value={rule.days} onChange={(event) => change(at, { days: event.target.value })} />
            </Field>
            <button type="button" className="btn icon quiet" style={{ alignSelf: "end" }} aria-label={`Remove rule ${at + 1} of keeping`} onClick={() => setRules(rules.filter((_, other) => other !== at))}>
              <Icon name="cross" size={12} />
            </button>
          </div>
        ))}
        <div className="pair">
          <Field label={rules.length > 0 ? "All others, days" : "Days"} note="0: for ever. What is older is erased for good.">
            <input className="input num" inputMode="numeric" value={days} onChange={(event) => setDays(event.target.value)} />
          </Field>
        </div>
      </fieldset>
      {asking ? (
        <TypedName title="Erase what is older" name={who.data?.project ?? ""} label="Keep them so" busy={set.isPending} error={set.error} close={() => setAsking(false)} go={() => set.mutate({ body })}>
          The worker erases the traces that are older than this, and goes on to do so.
        </TypedName>
      ) : (
        <Refused error={set.error} />
      )}
      <div className="row">
        <span className="faint">
          {kept.changed_at ? (
            <>
              Set <Time at={kept.changed_at} /> by {kept.changed_by}
            </>
          ) : (
            "They stay for ever"
          )}
        </span>
        {writes && (
          <span className="row end" style={{ marginLeft: "auto" }}>
            <button type="button" className="btn" onClick={() => setRules([...rules, { days: "7", environment: "", kind: "", more: ANY }])}>
              Add a rule
            </button>
            <button type="submit" className="btn primary" disabled={set.isPending || !whole(days) || !rules.every((rule) => whole(rule.days))}>
              Keep them so
            </button>
          </span>
        )}
      </div>
    </form>
  );
}

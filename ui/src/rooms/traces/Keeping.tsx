import { useState } from "react";
import { $api } from "../../api/client";
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
  /** What the form does not change, such as a rule for bad traces. */
  more: { bad?: boolean; share?: number };
}

interface Kept {
  days: number;
  rules?: { days: number; environment?: string; kind?: string; bad?: boolean; share?: number }[];
  changed_at: string | null;
  changed_by: string;
}

/** For how long traces stay. */
export function Keeping() {
  const query = $api.useQuery("get", "/retention");
  return (
    <Card title="How long they stay">
      <Show query={query} lines={2}>{(kept) => <Form key={kept.changed_at ?? ""} kept={kept as Kept} />}</Show>
    </Card>
  );
}

const whole = (text: string) => /^\d{1,5}$/.test(text.trim());

function Form({ kept }: { kept: Kept }) {
  const who = useWho();
  const outcome = useOutcome();
  const [days, setDays] = useState(String(kept.days));
  const [rules, setRules] = useState<Rule[]>(() => (kept.rules ?? []).map((rule) => ({ days: String(rule.days), environment: rule.environment ?? "", kind: rule.kind ?? "", more: rule })));
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
            <Field label="Days" note={[rule.more.bad && "errors and low scores alone", (rule.more.share ?? 1) < 1 && `${Math.round((rule.more.share ?? 1) * 100)} % of them`].filter(Boolean).join(", ") || undefined}>
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
            <button type="button" className="btn" onClick={() => setRules([...rules, { days: "7", environment: "", kind: "", more: {} }])}>
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

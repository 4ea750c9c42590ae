import { useState } from "react";
import { $api } from "../../api/client";
import type { Release } from "../../api/types";
import { FormDialog } from "../../kit/Dialog";
import { Icon } from "../../kit/icons";
import { useOutcome } from "../../kit/outcome";
import { may, useWho } from "../../shell/session";

type Verb = "check" | "approve" | "reject" | "withdraw";

const OFFERS: Record<Release["state"], Verb[]> = {
  draft: ["check", "reject"],
  in_review: ["check", "reject", "approve"],
  approved: ["withdraw"],
  rejected: [],
  withdrawn: [],
};
const LABELS: Record<Verb, string> = { check: "Run the gate", approve: "Approve", reject: "Reject", withdraw: "Withdraw" };

/** What may be done with a release in its state; the server has the last word, its author never approves. */
export function ReleaseActions({ release }: { release: Release }) {
  const who = useWho();
  const outcome = useOutcome();
  const [asking, setAsking] = useState<Exclude<Verb, "check"> | null>(null);
  const decided = { done: () => setAsking(null), quiet: true };
  const check = $api.useMutation("post", "/releases/{name}/check", outcome(`${release.ref} passed the gate.`));
  const approve = $api.useMutation("post", "/releases/{name}/approve", outcome(`${release.ref} is approved.`, decided));
  const reject = $api.useMutation("post", "/releases/{name}/reject", outcome(`${release.ref} is rejected.`, decided));
  const withdraw = $api.useMutation("post", "/releases/{name}/withdraw", outcome(`${release.ref} is withdrawn.`, decided));
  const decide = { approve, reject, withdraw };
  const selector = String(release.number);
  const path = { name: release.name };
  const governs = may(who.data, "release.approve");
  const own = who.data?.member === release.author;
  const offers = OFFERS[release.state].filter((verb) => (verb === "check" ? may(who.data, "release.write") : governs));
  return (
    <>
      {offers.map((verb) => (
        <button
          key={verb}
          type="button"
          className={verb === "approve" ? "btn primary" : verb === "check" ? "btn" : "btn danger"}
          disabled={(verb === "approve" && own) || check.isPending}
          title={verb === "approve" && own ? "You made this release, so another member must approve it." : undefined}
          onClick={() => (verb === "check" ? check.mutate({ params: { path }, body: { selector } }) : setAsking(verb))}
        >
          {verb === "approve" && <Icon name="check" size={14} />}
          {verb === "check" && check.isPending ? "Checking…" : LABELS[verb]}
        </button>
      ))}
      {asking && (
        <Decide
          verb={asking}
          release={release}
          busy={decide[asking].isPending}
          error={decide[asking].error}
          close={() => setAsking(null)}
          go={(note) => decide[asking].mutate({ params: { path }, body: { selector, note } })}
        />
      )}
    </>
  );
}

function Decide(props: { verb: Exclude<Verb, "check">; release: Release; busy: boolean; error: unknown; close: () => void; go: (note: string) => void }) {
  const { verb, release } = props;
  const [note, setNote] = useState("");
  const [typed, setTyped] = useState("");
  // Rejecting and withdrawing cannot be undone, so the name is typed; an approval can be withdrawn.
  const final = verb !== "approve";
  const ready = !final || typed === release.name;
  return (
    <FormDialog title={`${LABELS[verb]} ${release.ref}`} close={props.close} ready={ready && !props.busy} label={LABELS[verb]} danger={final} error={props.error} go={() => props.go(note)}>
      <label className="field">
        <span>Note</span>
        <textarea className="area" value={note} data-autofocus placeholder="Why" onChange={(event) => setNote(event.target.value)} />
      </label>
      {final && (
        <label className="field">
          <span>
            This is for good. Type <code>{release.name}</code> to go on.
          </span>
          <input className="input" value={typed} onChange={(event) => setTyped(event.target.value)} />
        </label>
      )}
    </FormDialog>
  );
}

import { Modal } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Release } from "../../api/types";
import { Icon } from "../../kit/icons";
import { toast } from "../../kit/toast";
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
  const queries = useQueryClient();
  const [asking, setAsking] = useState<Exclude<Verb, "check"> | null>(null);
  const outcome = (said: string) => ({
    onSuccess: () => toast(said),
    onError: (error: unknown) => toast((error as Error).message, { tone: "error" }),
    onSettled: () => {
      setAsking(null);
      void queries.invalidateQueries();
    },
  });
  const check = $api.useMutation("post", "/releases/{name}/check", outcome(`${release.ref} passed the gate.`));
  const approve = $api.useMutation("post", "/releases/{name}/approve", outcome(`${release.ref} is approved.`));
  const reject = $api.useMutation("post", "/releases/{name}/reject", outcome(`${release.ref} is rejected.`));
  const withdraw = $api.useMutation("post", "/releases/{name}/withdraw", outcome(`${release.ref} is withdrawn.`));
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
          close={() => setAsking(null)}
          go={(note) => decide[asking].mutate({ params: { path }, body: { selector, note } })}
        />
      )}
    </>
  );
}

function Decide(props: { verb: Exclude<Verb, "check">; release: Release; busy: boolean; close: () => void; go: (note: string) => void }) {
  const { verb, release } = props;
  const [note, setNote] = useState("");
  const [typed, setTyped] = useState("");
  // Rejecting and withdrawing cannot be undone, so the name is typed; an approval can be withdrawn.
  const final = verb !== "approve";
  const ready = !final || typed === release.name;
  return (
    <Modal opened onClose={props.close} lockScroll={false} closeButtonProps={{ "aria-label": "Close" }} title={`${LABELS[verb]} ${release.ref}`} size={440} centered transitionProps={{ duration: 120 }}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) props.go(note);
        }}
      >
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
        <div className="row" style={{ justifyContent: "flex-end" }}>
          <button type="button" className="btn" onClick={props.close}>
            Cancel
          </button>
          <button type="submit" className={final ? "btn danger" : "btn primary"} disabled={!ready || props.busy}>
            {LABELS[verb]}
          </button>
        </div>
      </form>
    </Modal>
  );
}

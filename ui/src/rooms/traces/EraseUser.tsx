import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import { TypedName } from "../../kit/Dialog";
import { count } from "../../kit/format";
import { useOutcome } from "../../kit/outcome";
import { may, useWho } from "../../shell/session";

/** Erases all that is kept of a user, after saying what that is. */
export function EraseUser({ userId }: { userId: string }) {
  const who = useWho();
  const [asking, setAsking] = useState(false);
  if (!may(who.data, "erasure.write")) return null;
  return (
    <>
      <button type="button" className="btn danger" style={{ marginLeft: "auto" }} onClick={() => setAsking(true)}>
        Erase…
      </button>
      {asking && <Asked userId={userId} close={() => setAsking(false)} />}
    </>
  );
}

function Asked({ userId, close }: { userId: string; close: () => void }) {
  const outcome = useOutcome();
  const navigate = useNavigate();
  const plan = $api.useQuery("post", "/erasures/plan", { body: { user_id: userId } }, { staleTime: 0 });
  const erase = $api.useMutation("post", "/erasures", outcome<{ id: string }>("The erasure began.", { quiet: true, done: (run) => void navigate({ to: `/runs/${run.id}` }) }));
  return (
    <TypedName title="Erase a user" name={userId} label="Erase the user" busy={erase.isPending || !plan.data} error={erase.error ?? plan.error} close={close} go={() => erase.mutate({ body: { user_id: userId } })}>
      {plan.data ? (
        <>
          This erases {listed(plan.data.erases)}
          {plan.data.complete ? "" : ", and more than could be counted here"}. What the user does later is taken again.
          {plan.data.keeps.length > 0 && (
            <>
              {" "}
              Rows made of these traces stay in {plan.data.keeps.map((one) => `${one.ref} (${count(one.rows)})`).join(", ")}: a version never changes, but can be deleted whole.
            </>
          )}
        </>
      ) : (
        "Looking what there is…"
      )}
    </TypedName>
  );
}

function listed(erases: Record<string, number>): string {
  const parts = Object.entries(erases).flatMap(([name, many]) => (many > 0 ? [`${count(many)} ${worded(name, many)}`] : []));
  if (parts.length === 0) return "nothing that is known now";
  return parts.length === 1 ? parts[0]! : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

function worded(name: string, many: number): string {
  const words = name.replaceAll("_", " ");
  return many === 1 ? words.replace(/^(\w+?)s\b(?=$| in )|s$/, "$1") : words;
}

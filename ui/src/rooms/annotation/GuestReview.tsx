import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Work } from "../../api/types";
import { ApiError, toError } from "../../api/client";
import { Blank } from "../../kit/basics";
import { Mark } from "../../kit/icons";
import { Show } from "../../kit/page";
import { toast, Toasts } from "../../kit/toast";
import { Judge } from "./Judge";

async function post<T>(path: string, body: unknown): Promise<T> {
  const reply = await fetch(`/api/v1/review/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), credentials: "omit" });
  if (!reply.ok) throw await toError(reply);
  return (await reply.json()) as T;
}

/** A queue for somebody who came by a link: what is behind the # stays in the browser until it is sent in a body. */
export function GuestReview() {
  const token = location.hash.slice(1);
  useEffect(() => {
    document.title = "Review · Mainspring";
  }, []);
  const work = useQuery({ queryKey: ["guest", token], queryFn: () => post<Work>("next", { token }), retry: false, staleTime: Infinity });
  const answer = useMutation({
    mutationFn: (body: object) => post("answer", { token, ...body }),
    onSuccess: () => {
      toast("Submitted.");
      void work.refetch();
    },
    onError: (error) => toast(error.message, { tone: "error" }),
  });
  const over = work.error instanceof ApiError && work.error.status === 404;
  return (
    <main className="guest" id="main">
      <header className="row">
        <Mark />
        <h1>Review</h1>
      </header>
      {over ? (
        <Blank icon="check" title="Nothing waits for you" text="Thank you: everything that is here was judged." />
      ) : (
        <Show query={work}>
          {(shown) => <Judge work={shown} busy={answer.isPending || work.isFetching} give={(given) => answer.mutate({ item_id: shown.item.id, ...given })} />}
        </Show>
      )}
      <Toasts />
    </main>
  );
}

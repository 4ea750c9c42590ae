import { useParams } from "@tanstack/react-router";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ApiError, $api } from "../../api/client";
import { Blank, Bar } from "../../kit/basics";
import { useUrl } from "../../kit/hooks";
import { Page, Show } from "../../kit/page";
import { toast } from "../../kit/toast";
import { Judge } from "./Judge";

/** Judging one item after another; `?item=` takes a certain one up again. */
export function ReviewPage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const [url, setUrl] = useUrl();
  const queries = useQueryClient();
  const queue = $api.useQuery("get", "/queues/{name}", { params: { path: { name } } });
  const work = useQuery({
    queryKey: ["review", name, url.item ?? ""],
    queryFn: async () => {
      const path = { name, item_id: url.item ?? "" };
      const taken = url.item ? await api.POST("/queues/{name}/items/{item_id}/take", { params: { path } }) : await api.POST("/queues/{name}/next", { params: { path: { name } } });
      return taken.data!;
    },
    retry: false,
    staleTime: Infinity,
  });
  const submit = $api.useMutation("post", "/queues/{name}/items/{item_id}/review", {
    onSuccess: (settled, sent) => {
      const id = sent.params.path.item_id;
      toast(settled.item.state === "disputed" ? "Submitted. Reviewers disagree: it waits for an adjudicator." : "Submitted.", { undo: () => setUrl({ item: id }) });
      setUrl({ item: undefined });
      void queries.invalidateQueries();
    },
    onError: (error) => toast((error as unknown as Error).message, { tone: "error" }),
  });
  const progress = queue.data?.progress;
  const through = progress ? progress.items - progress.open : 0;
  return (
    <Page
      title={`Review ${name}`}
      crumbs={[
        { label: "Queues", to: "/queues" },
        { label: name, to: `/queues/${name}` },
      ]}
      badge={progress && <span className="dim num">{`${through} of ${progress.items} through, ${progress.mine} by you`}</span>}
    >
      <div className="stack">
        {progress && <Bar share={progress.items ? through / progress.items : 0} label="Items that are through" />}
        {work.error instanceof ApiError && work.error.status === 404 ? (
          <Blank icon="check" title="Nothing waits for you" text="Everything that is here was judged, or is with somebody else." />
        ) : (
          <Show query={work}>
            {(shown) => (
              <Judge
                work={shown}
                busy={submit.isPending || work.isFetching}
                give={(given) => submit.mutate({ params: { path: { name, item_id: shown.item.id } }, body: given })}
              />
            )}
          </Show>
        )}
      </div>
    </Page>
  );
}

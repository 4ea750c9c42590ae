import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { $api } from "../../api/client";
import type { QuestionAgreement, Queue, QueueItem } from "../../api/types";
import { Blank, Card, Copy, Id, Stats, Status, Time } from "../../kit/basics";
import { Choose, Filters } from "../../kit/filters";
import { fixed } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { Page, Show } from "../../kit/page";
import { Tabs, useTab } from "../../kit/Tabs";
import { useOutcome } from "../../kit/outcome";
import { paged, PAGES } from "../../kit/pages";
import { toast } from "../../kit/toast";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { Calibrate } from "../evals/Calibrate";
import { Collect } from "./Collect";
import { Disputed } from "./Disputed";
import { FillQueue } from "./Fill";
import { QueueTerms } from "./QueueTerms";

const TABS = ["Items", "Agreement", "Rubric"] as const;
const STATES = ["open", "disputed", "done", "skipped"];
const SHOWN: Record<string, string> = { done: "approved", open: "queued", disputed: "warning", skipped: "cancelled" };

const COLUMNS: Column<QueueItem>[] = [
  { key: "state", label: "State", width: "104px", cell: (i) => <Status state={SHOWN[i.state]!} label={i.state} /> },
  { key: "trace", label: "Trace", width: "120px", cell: (i) => <Id value={i.trace_id} /> },
  { key: "reviews", label: "Reviews", width: "72px", numeric: true, cell: (i) => <span className="num">{i.reviews}</span> },
  { key: "final", label: "Settled as", width: "minmax(200px,2fr)", cell: (i) => <span className="dim">{settled(i)}</span> },
  { key: "why", label: "Why it is here", width: "minmax(120px,1fr)", cell: (i) => <span className="dim">{i.why || "–"}</span> },
  { key: "added", label: "Added", width: "88px", cell: (i) => <Time at={i.added_at} /> },
];

const settled = (item: QueueItem) =>
  item.final
    ? Object.entries(item.final)
        .map(([name, value]) => `${name}: ${value}`)
        .join(" · ")
    : "–";

export function QueuePage() {
  const { name } = useParams({ strict: false }) as { name: string };
  const tab = useTab(TABS);
  const navigate = useNavigate();
  const who = useWho();
  const [asking, setAsking] = useState<"fill" | "change" | "collect" | "calibrate">();
  const close = () => setAsking(undefined);
  const query = $api.useQuery("get", "/queues/{name}", { params: { path: { name } } });
  const queue = query.data;
  const open = queue?.state === "open";
  const act = (what: NonNullable<typeof asking>, label: string, may: boolean, ready = true) =>
    may && (
      <button type="button" className="btn" disabled={!ready} onClick={() => setAsking(what)}>
        {label}
      </button>
    );
  return (
    <Page
      title={name}
      crumbs={[{ label: "Queues", to: "/queues" }]}
      badge={queue && !open && <Status state="sealed" label="closed" />}
      tabs={<Tabs tabs={TABS} label="Parts of the queue" current={tab} />}
      actions={
        <>
          {may(who.data, "queue.manage") && (
            <>
              <ShareLink name={name} />
              {act("change", "Change", true, Boolean(queue))}
              {queue && <OpenOrClosed queue={queue} />}
            </>
          )}
          {act("collect", "Collect", may(who.data, "dataset.write"), Boolean(queue?.progress.done))}
          {act("fill", "Fill", may(who.data, "queue.write"), open)}
          {may(who.data, "queue.write") && (
            <button type="button" className="btn primary" disabled={!open} onClick={() => void navigate({ to: `/queues/${name}/review` })}>
              Review
            </button>
          )}
        </>
      }
      flush={tab === "Items"}
    >
      {tab === "Items" ? (
        <Items name={name} />
      ) : (
        <Show query={query}>{(found) => (tab === "Rubric" ? <Rubric queue={found} /> : <Agreement queue={found} calibrate={act("calibrate", "Calibrate a judge", may(who.data, "scorer.write"))} />)}</Show>
      )}
      {asking === "fill" && <FillQueue queue={name} close={close} />}
      {asking === "change" && queue && <QueueTerms queue={queue} close={close} />}
      {asking === "collect" && queue && <Collect queue={queue} close={close} />}
      {asking === "calibrate" && queue && <Calibrate humans={queue.questions.filter((one) => one.kind !== "text" && one.kind !== "correction").map((one) => one.name)} close={close} />}
    </Page>
  );
}

/** Closes a queue, or opens it again; either can be taken back. */
function OpenOrClosed({ queue }: { queue: Queue }) {
  const outcome = useOutcome();
  const back = $api.useMutation("patch", "/queues/{name}", outcome((now: Queue) => `${now.name} is ${now.state}.`));
  const path = { params: { path: { name: queue.name } } };
  const undo = (now: Queue) => back.mutate({ ...path, body: { closed: now.state === "open" } });
  const move = $api.useMutation("patch", "/queues/{name}", outcome((now: Queue) => (now.state === "open" ? `${now.name} is open.` : `${now.name} is closed: nothing is judged any more.`), { undo }));
  return (
    <button type="button" className="btn" disabled={move.isPending} onClick={() => move.mutate({ ...path, body: { closed: queue.state === "open" } })}>
      {queue.state === "open" ? "Close" : "Reopen"}
    </button>
  );
}

function Items({ name }: { name: string }) {
  const [url, setUrl] = useUrl();
  const state = STATES.find((one) => one === url.state) as QueueItem["state"] | undefined;
  const query = $api.useInfiniteQuery("get", "/queues/{name}/items", { params: { path: { name }, query: { state, limit: 100 } } }, PAGES);
  return (
    <>
      <Filters>
        <Choose name="state" label="State" any="Any state" choices={STATES} />
      </Filters>
      <List
        label="Items"
        noun="item"
        {...paged(query)}
        columns={COLUMNS}
        id={(i) => i.id}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(i) => `Item ${i.trace_id.slice(0, 8)}`}
        peek={(i) => <Peek name={name} item={i} />}
        blank={<Blank icon="traces" narrowed={state && `Nothing is ${state}`} title="Nothing is here yet" text="Put traces in, by name or by a filter." code={`mainspring queue fill ${name} --deployment docs --share 0.1`} />}
      />
    </>
  );
}

function Peek({ name, item }: { name: string; item: QueueItem }) {
  const who = useWho();
  return (
    <div className="stack">
      <p>
        <RefLink value={`trace/${item.trace_id}`} />
      </p>
      {item.final && <p>{settled(item)}</p>}
      {item.state !== "skipped" && may(who.data, "queue.write") && (
        <Link className="btn" to={`/queues/${name}/review`} search={{ item: item.id } as never}>
          {item.reviews ? "Judge, or change what you said" : "Judge it"}
        </Link>
      )}
      {may(who.data, "queue.use") && <Disputed name={name} item={item} />}
    </div>
  );
}

function Rubric({ queue }: { queue: Queue }) {
  return (
    <div className="stack">
      <Stats
        items={[
          { label: "Items", value: queue.progress.items },
          { label: "Open", value: queue.progress.open },
          { label: "Disputed", value: queue.progress.disputed },
          { label: "Done", value: queue.progress.done },
          { label: "Reviewers an item", value: queue.reviewers },
        ]}
      />
      <p className="prose">{queue.rubric || "There is no rubric in words."}</p>
      <Table
        label="Questions"
        items={queue.questions}
        id={(one) => one.name}
        columns={[
          { key: "name", label: "Name", cell: (one) => one.name },
          { key: "kind", label: "Kind", cell: (one) => one.kind },
          { key: "text", label: "Asked", cell: (one) => one.text || "–" },
          { key: "of", label: "Answers", cell: (one) => (one.kind === "label" ? one.labels.join(", ") : one.kind === "number" ? `${one.low} to ${one.high}` : "–") },
          { key: "required", label: "Required", cell: (one) => (one.required ? "yes" : "no") },
        ]}
      />
      <p className="dim">{queue.members.length ? `For ${queue.members.join(", ")}.` : "For everybody whose role allows it."}</p>
    </div>
  );
}

const figure = (value: number | null, low: number | null, high: number | null) =>
  value === null ? "–" : low === null || high === null ? fixed(value, 2) : `${fixed(value, 2)} [${fixed(low, 2)}, ${fixed(high, 2)}]`;

function Agreement({ queue, calibrate }: { queue: Queue; calibrate: ReactNode }) {
  const query = $api.useQuery("get", "/queues/{name}/agreement", { params: { path: { name: queue.name } } });
  return (
    <Show query={query}>
      {(report) => (
        <div className="stack">
          {report.questions.map((one) => (
            <Card key={one.question} title={one.question}>
              <Measures one={one} />
            </Card>
          ))}
          {calibrate && (
            <Card title="What a judge is worth" actions={calibrate}>
              <p className="dim">What reviewers settled are scores of the traces. Where these are the answers of an experiment, a judge can be set against them.</p>
            </Card>
          )}
        </div>
      )}
    </Show>
  );
}

function Measures({ one }: { one: QuestionAgreement }) {
  return (
    <div className="stack">
      <p>{one.note}</p>
      {one.units > 0 && (
        <Stats
          items={[
            { label: "Krippendorff's alpha", value: figure(one.alpha, one.alpha_low, one.alpha_high) },
            { label: "Fleiss' kappa", value: figure(one.fleiss, one.fleiss_low, one.fleiss_high) },
            { label: "Items judged by two or more", value: one.units },
          ]}
        />
      )}
      {one.pairs.length > 0 && (
        <Table
          label={`Pairs on ${one.question}`}
          items={one.pairs}
          id={(pair) => `${pair.first}/${pair.second}`}
          columns={[
            { key: "who", label: "Reviewers", cell: (pair) => `${pair.first} and ${pair.second}` },
            { key: "n", label: "Items", numeric: true, cell: (pair) => pair.n },
            { key: "share", label: "Same", numeric: true, cell: (pair) => `${Math.round(pair.share * 100)} %` },
            { key: "kappa", label: "Cohen's kappa", numeric: true, cell: (pair) => figure(pair.kappa, pair.low, pair.high) },
          ]}
        />
      )}
    </div>
  );
}

function ShareLink({ name }: { name: string }) {
  const queries = useQueryClient();
  const share = $api.useMutation("post", "/queues/{name}/share", { onError: (error) => toast((error as unknown as Error).message, { tone: "error" }) });
  const back = $api.useMutation("post", "/queues/{name}/unshare", {
    onSuccess: () => {
      share.reset();
      toast("Every link to this queue is taken back.");
      void queries.invalidateQueries();
    },
  });
  if (share.data)
    return (
      <>
        <span className="dim">Link for {share.data.reviewer.replace("guest:", "")}</span>
        <Copy value={`${location.origin}${share.data.path}`} what="Copy the link" />
        <button type="button" className="btn quiet" onClick={() => back.mutate({ params: { path: { name } } })}>
          Take links back
        </button>
      </>
    );
  const ask = () => share.mutate({ params: { path: { name } }, body: { reviewer: "guest", days: 7 } });
  return (
    <button type="button" className="btn" disabled={share.isPending} onClick={ask}>
      Share a link
    </button>
  );
}

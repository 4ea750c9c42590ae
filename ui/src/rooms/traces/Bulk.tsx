import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api, api } from "../../api/client";
import { Field, FormDialog } from "../../kit/Dialog";
import { count, plural } from "../../kit/format";
import { Icon } from "../../kit/icons";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { toast } from "../../kit/toast";
import { may, useWho } from "../../shell/session";
import { QueueForm } from "../annotation/QueueForm";
import { DatasetField } from "../data/DatasetField";
import { searchOf, type Query } from "./filter";

/** Traces that one act takes. */
const MOST = 1000;

interface Props {
  marked: readonly string[];
  filter: Query;
  clear: () => void;
}

/** What is done with the marked traces, or with all that the list is narrowed to. */
export function Bulk({ marked, filter, clear }: Props) {
  const who = useWho();
  const navigate = useNavigate();
  const [asking, setAsking] = useState<"dataset" | "queue">();
  const close = () => setAsking(undefined);
  const some = marked.length > 0;
  return (
    <>
      {some && (
        <button type="button" className="btn quiet" onClick={clear}>
          Clear
        </button>
      )}
      <span className="faint" role="status">
        {some ? plural(marked.length, "marked", "marked") : ""}
      </span>
      {marked.length === 2 && (
        <button type="button" className="btn" onClick={() => void navigate({ to: "/traces/compare", search: { ids: marked.join(",") } as never })}>
          Compare
        </button>
      )}
      {may(who.data, "dataset.write") && (
        <button type="button" className="btn" onClick={() => setAsking("dataset")}>
          <Icon name="data" size={14} /> To a dataset
        </button>
      )}
      {may(who.data, "queue.write") && (
        <button type="button" className="btn" onClick={() => setAsking("queue")}>
          <Icon name="check" size={14} /> To a queue
        </button>
      )}
      {may(who.data, "trace.export") && (
        <a className="btn" href={`/api/v1/traces/export?${searchOf({ ...filter, limit: 100_000 })}`} download="traces.jsonl" title="Whole traces that the list is narrowed to, as JSON lines; the audit log keeps it">
          <Icon name="download" size={14} /> Export
        </a>
      )}
      {asking === "dataset" && <ToDataset marked={marked} filter={filter} close={close} clear={clear} />}
      {asking === "queue" && <ToQueue marked={marked} filter={filter} close={close} clear={clear} />}
    </>
  );
}

type Put = Props & { close: () => void };

/** The ids of the marked traces; where none is, of the first of the list, as many as one act takes. */
async function chosen({ marked, filter }: Props): Promise<string[]> {
  if (marked.length > 0) return [...marked];
  const { data } = await api.GET("/traces", { params: { query: { ...filter, limit: MOST } as never } });
  return data!.items.map((one) => one.trace_id);
}

/** Does something with the chosen traces, once; says so where they cannot be had. */
function useTaking(props: Put) {
  const [busy, setBusy] = useState(false);
  const take = async (act: (traceIds: string[]) => void) => {
    setBusy(true);
    try {
      act(await chosen(props));
    } catch (error) {
      toast((error as Error).message, { tone: "error" });
    } finally {
      setBusy(false);
    }
  };
  return { busy, take, done: () => (props.clear(), props.close()) };
}

function What({ marked }: { marked: readonly string[] }) {
  return (
    <p className="dim">
      {marked.length > 0 ? `${plural(marked.length, "marked trace")}.` : `No trace is marked: all that the list is narrowed to are taken, the newest ${count(MOST)} at most.`}
    </p>
  );
}

function ToDataset(props: Put) {
  const outcome = useOutcome();
  const [name, setName] = useState("");
  const [note, setNote] = useState("");
  const { busy, take, done } = useTaking(props);
  const collect = $api.useMutation("post", "/datasets/{name}/collect", outcome((made: { ref: string; rows: number }) => `${made.ref} has ${plural(made.rows, "row")} of them.`, { done, quiet: true }));
  return (
    <FormDialog
      title="To a dataset"
      close={props.close}
      ready={NAME.test(name) && !busy && !collect.isPending}
      label="Create a version"
      error={collect.error}
      go={() => void take((trace_ids) => collect.mutate({ params: { path: { name } }, body: { trace_ids, note } as never }))}
    >
      <What marked={props.marked} />
      <DatasetField
        value={name}
        set={setName}
        placeholder="bad-answers"
        note="They make a version of it: a row for each trace with a conversation, linked to it, with corrected answers in place of the given ones."
      />
      <Field label="Note">
        <input className="input" value={note} maxLength={20_000} onChange={(event) => setNote(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

function ToQueue(props: Put) {
  const outcome = useOutcome();
  const [picked, setPicked] = useState("");
  const [why, setWhy] = useState("");
  const { busy, take, done } = useTaking(props);
  const queues = $api.useQuery("get", "/queues", { params: { query: { limit: 200 } } });
  const open = queues.data?.items.filter((one) => one.state === "open") ?? [];
  const name = picked || open[0]?.name || "";
  const add = $api.useMutation(
    "post",
    "/queues/{name}/items",
    outcome((made: { added: number; known: number }) => `${count(made.added)} added to ${name}${made.known ? `, ${count(made.known)} were there` : ""}.`, { done, quiet: true }),
  );
  const who = useWho();
  const [making, setMaking] = useState(false);
  const navigate = useNavigate();
  const go = () => take((trace_ids) => trace_ids.length > 0 && add.mutate({ params: { path: { name } }, body: { trace_ids, why } }));
  if (making)
    return <QueueForm chosen={{ what: <What marked={props.marked} />, take: () => chosen(props) }} close={() => setMaking(false)} done={(queue) => (done(), void navigate({ to: `/queues/${queue}` }))} />;
  const another = may(who.data, "queue.manage") && (
    <button type="button" className="btn" onClick={() => setMaking(true)}>
      Create a queue
    </button>
  );
  return (
    <FormDialog title="To a queue" also={another} close={props.close} ready={Boolean(name) && !busy && !add.isPending} label="Add" error={add.error} go={() => void go()}>
      <What marked={props.marked} />
      {queues.data && open.length === 0 ? (
        <p className="notice info">No queue is open yet.</p>
      ) : (
        <Field label="Queue">
          <select className="select" value={name} data-autofocus onChange={(event) => setPicked(event.target.value)}>
            {open.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
          </select>
        </Field>
      )}
      <Field label="Why" note="Shown to whoever judges them.">
        <input className="input" value={why} maxLength={20_000} onChange={(event) => setWhy(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

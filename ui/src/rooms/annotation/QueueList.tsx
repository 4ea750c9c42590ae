import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Queue } from "../../api/types";
import { Bar, Blank, Status, Time } from "../../kit/basics";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { QueueForm } from "./QueueForm";

const through = (queue: Queue) => (queue.progress.items ? (queue.progress.items - queue.progress.open) / queue.progress.items : 0);

const COLUMNS: Column<Queue>[] = [
  { key: "name", label: "Queue", width: "minmax(140px,1fr)", cell: (q) => q.name },
  { key: "state", label: "State", width: "88px", cell: (q) => <Status state={q.state === "open" ? "active" : "sealed"} label={q.state} /> },
  { key: "bar", label: "Through", width: "minmax(120px,1fr)", cell: (q) => <Bar share={through(q)} label={`${q.name}: items that are through`} /> },
  { key: "open", label: "Open", width: "64px", numeric: true, cell: (q) => <span className="num">{q.progress.open}</span> },
  { key: "disputed", label: "Disputed", width: "72px", numeric: true, cell: (q) => <span className="num">{q.progress.disputed}</span> },
  { key: "done", label: "Done", width: "64px", numeric: true, cell: (q) => <span className="num">{q.progress.done}</span> },
  { key: "reviewers", label: "Reviewers", width: "80px", numeric: true, cell: (q) => <span className="num">{q.reviewers}</span> },
  { key: "asks", label: "Asks", width: "minmax(160px,1.5fr)", cell: (q) => <span className="dim">{q.questions.map((one) => one.name).join(", ")}</span> },
  { key: "created", label: "Created", width: "88px", cell: (q) => <Time at={q.created_at} /> },
];

const EXAMPLE = `mainspring queue create answers '[
  {"name": "helpful", "kind": "thumbs", "text": "Does it answer the question?"}]' --reviewers 2
mainspring queue fill answers --deployment docs --share 0.1`;

/** Queues of traces that people judge. */
export function QueueList() {
  const navigate = useNavigate();
  const who = useWho();
  const [making, setMaking] = useState(false);
  const query = $api.useInfiniteQuery("get", "/queues", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <Page title="Queues" flush actions={<Primary may={may(who.data, "queue.manage")} go={() => setMaking(true)}>Create a queue</Primary>}>
      <List
        label="Queues"
        noun="queue"
        {...paged(query)}
        columns={COLUMNS}
        id={(q) => q.name}
        open={(q) => void navigate({ to: `/queues/${q.name}` })}
        blank={<Blank icon="check" title="No queues yet" text="A queue holds traces that people judge by a rubric; what they agree on becomes scores and datasets." code={EXAMPLE} />}
      />
      {making && <QueueForm close={() => setMaking(false)} done={(name) => void navigate({ to: `/queues/${name}` })} />}
    </Page>
  );
}

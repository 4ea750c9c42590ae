import { $api } from "../../api/client";
import type { AuditRow } from "../../api/types";
import { Blank, Id, KeyValues, Status, Time } from "../../kit/basics";
import { Choose, Filters } from "../../kit/filters";
import { plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";

const COLUMNS: Column<AuditRow>[] = [
  { key: "seq", label: "Row", width: "64px", numeric: true, cell: (row) => <span className="num dim">{row.seq}</span> },
  { key: "at", label: "When", width: "96px", cell: (row) => <Time at={row.at} /> },
  { key: "member", label: "Who", width: "112px", cell: (row) => row.member },
  { key: "action", label: "Did", width: "160px", cell: (row) => row.action },
  { key: "target", label: "To", width: "minmax(240px,2fr)", cell: (row) => <span className="mono dim">{row.target}</span> },
  { key: "outcome", label: "Outcome", width: "96px", cell: (row) => <Status state={row.outcome} /> },
  { key: "key", label: "Key", width: "112px", cell: (row) => (row.key_id ? <Id value={row.key_id} /> : "") },
];

/** Everything that was done, and whether the chain of the log is whole. */
export function Audit() {
  const [url, setUrl] = useUrl();
  const query = $api.useInfiniteQuery(
    "get",
    "/audit",
    { params: { query: { action: url.action ?? "", member: url.member ?? "", outcome: (url.outcome as "ok" | undefined) ?? undefined, limit: 200 } } },
    PAGES,
  );
  return (
    <Page title="Audit" flush badge={<Verified />}>
      <Filters>
        <Choose name="outcome" label="Outcome" any="Any outcome" choices={["ok", "denied", "failed"]} />
        <Exact name="action" label="Action" placeholder="Action, as release.approve" />
        <Exact name="member" label="Member" placeholder="Member" />
      </Filters>
      <List
        label="Audit log"
        noun="row"
        {...paged(query)}
        columns={COLUMNS}
        id={(row) => String(row.seq)}
        open={(row) => setUrl({ peek: String(row.seq) })}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(row) => `${row.action} · row ${row.seq}`}
        peek={(row) => <Detail row={row} />}
        blank={<Blank icon="audit" title="No row matches" text="Every write is recorded here, and every refusal." code="mainspring audit verify" />}
      />
    </Page>
  );
}

function Exact({ name, label, placeholder }: { name: string; label: string; placeholder: string }) {
  const [url, setUrl] = useUrl();
  return (
    <input
      key={url[name] ?? ""}
      className="input"
      aria-label={label}
      placeholder={placeholder}
      defaultValue={url[name] ?? ""}
      onKeyDown={(event) => event.key === "Enter" && setUrl({ [name]: event.currentTarget.value.trim() || undefined }, true)}
      onBlur={(event) => event.currentTarget.value.trim() !== (url[name] ?? "") && setUrl({ [name]: event.currentTarget.value.trim() || undefined }, true)}
    />
  );
}

function Detail({ row }: { row: AuditRow }) {
  return (
    <div className="stack">
      <KeyValues
        items={[
          ["When", <Time key="t" at={row.at} />],
          ["Who", row.member],
          ["Key", row.key_id ? <Id key="k" value={row.key_id} full /> : <span className="faint">none</span>],
          ["Did", row.action],
          ["To", <code key="o">{row.target}</code>],
          ["Outcome", <Status key="s" state={row.outcome} />],
        ]}
      />
      <pre className="code" tabIndex={0}>{JSON.stringify(row.detail, null, 2)}</pre>
    </div>
  );
}

/** Whether the whole chain verifies; asked for where the caller may. */
export function Verified({ what = "" }: { what?: string }) {
  const who = useWho();
  const allowed = may(who.data, "audit.verify");
  const query = $api.useQuery("get", "/audit/verify", {}, { enabled: allowed, staleTime: 60_000 });
  if (!allowed || query.error) return null;
  if (!query.data) return <span className="status none">verifying…</span>;
  const { rows, verified, reason, first_bad } = query.data;
  return (
    <span title={verified ? "Every row fits the chain" : `Row ${first_bad}: ${reason}`}>
      <Status state={verified ? "verified" : "failed"} label={verified ? `${what}${plural(rows, "row")} verified` : `chain broken at row ${first_bad}`} />
    </span>
  );
}

import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Profile } from "../../api/types";
import { Blank, Card, Stats, Time } from "../../kit/basics";
import { Histogram, Shares } from "../../kit/chart";
import { count, figure, percent } from "../../kit/format";
import { Icon } from "../../kit/icons";
import { Table } from "../../kit/list";
import { Show } from "../../kit/page";
import { toast } from "../../kit/toast";

/** What a dataset version is like: lengths, duplicates, personal data, labels, languages. */
export function ProfileView({ reference }: { reference: string }) {
  const query = $api.useQuery("get", "/profiles", { params: { query: { dataset: reference, limit: 1 } } });
  return <Show query={query}>{(page) => (page.items[0] ? <Body profile={page.items[0] as Profile} /> : <None reference={reference} />)}</Show>;
}

function None({ reference }: { reference: string }) {
  const queries = useQueryClient();
  const [run, setRun] = useState("");
  const create = $api.useMutation("post", "/profiles", {
    onSuccess: (made) => setRun(made.id),
    onError: (error) => toast((error as unknown as Error).message, { tone: "error" }),
  });
  const follow = $api.useQuery(
    "get",
    "/runs/{run_id}",
    { params: { path: { run_id: run } } },
    {
      enabled: run !== "",
      refetchInterval: (q) => {
        const state = q.state.data?.state;
        if (state === "succeeded") void queries.invalidateQueries({ queryKey: ["get", "/profiles"] });
        return state === "succeeded" || state === "failed" ? false : 700;
      },
    },
  );
  return (
    <div className="stack tight" style={{ alignItems: "center" }}>
      <Blank icon="data" title="No profile of this version yet" text="It counts lengths with the model's own tokenizer, finds duplicates and personal data, and shows how labels are balanced." code={`mainspring profile create ${reference}`} />
      <button type="button" className="btn primary" disabled={create.isPending || run !== ""} onClick={() => create.mutate({ body: { dataset: reference, tokenizer: "", near_threshold: 0.8 } })}>
        <Icon name="run" size={14} /> {run ? (follow.data?.progress.message ?? "Profiling…") : "Profile this version"}
      </button>
    </div>
  );
}

function items(counts: Record<string, number>) {
  return Object.entries(counts).map(([label, value]) => ({ label, value }));
}

function Body({ profile }: { profile: Profile }) {
  const lengths = profile.tokens ?? profile.words;
  const pii = items(profile.pii);
  const hits = pii.reduce((sum, item) => sum + item.value, 0);
  return (
    <div className="stack">
      <Stats
        items={[
          { label: "Rows", value: count(profile.rows), note: profile.empty ? `${count(profile.empty)} empty` : undefined },
          { label: "Exact duplicates", value: count(profile.exact_duplicates), note: percent(profile.exact_duplicates / Math.max(1, profile.rows)) },
          { label: "Near duplicates", value: count(profile.near_duplicates), note: `similarity ≥ ${profile.near_threshold}` },
          { label: "Personal data", value: count(hits), note: "hits" },
          { label: "Secrets", value: count(profile.secrets) },
          { label: "Label balance", value: percent(profile.label_entropy, 0), note: "entropy" },
          { label: "Profiled", value: <Time at={profile.created_at} /> },
        ]}
      />
      <div className="columns">
        <div className="stack">
          <Card
            title={profile.tokens ? "Tokens in a row" : "Words in a row"}
            actions={<span className="faint">{profile.tokens ? profile.tokenizer : ""}</span>}
          >
            <Histogram
              label={`median ${figure(lengths.p50)}, 95 % at most ${figure(lengths.p95)}, longest ${figure(lengths.maximum, 5)}`}
              bins={lengths.histogram.map(([edge, rows]) => ({ label: figure(Number(edge)), value: Number(rows) }))}
            />
          </Card>
          <Card title="Labels">
            {Object.keys(profile.labels).length ? <Shares label="Rows by label" items={items(profile.labels)} total={profile.rows} /> : <p className="faint">No row has a label.</p>}
          </Card>
          {profile.duplicate_examples.length > 0 && (
            <Card title="Duplicates, for example" flush>
              <Table
                label="Examples of duplicates"
                items={profile.duplicate_examples.slice(0, 12)}
                id={(pair) => `${pair[0]}${pair[1]}`}
                columns={[
                  { key: "row", label: "Row", cell: (pair) => <code>{String(pair[0])}</code> },
                  { key: "of", label: "is like", cell: (pair) => <code>{String(pair[1])}</code> },
                  { key: "s", label: "Similarity", numeric: true, cell: (pair) => figure(Number(pair[2])) },
                ]}
              />
            </Card>
          )}
        </div>
        <div className="stack">
          <Card title="Personal data">{pii.length ? <Shares label="Rows with a hit, by kind" items={pii} total={profile.rows} /> : <p className="dim">None was found.</p>}</Card>
          <Card title="Languages">
            <Shares label="Rows by language" items={items(profile.languages).map((one) => (one.label === "und" ? { ...one, label: "not told" } : one))} total={profile.rows} />
          </Card>
          <Card title="Splits">
            <Shares label="Rows by split" items={items(profile.splits)} total={profile.rows} />
          </Card>
          <Card title="Licences">
            <Shares label="Rows by licence" items={items(profile.licenses)} total={profile.rows} />
          </Card>
        </div>
      </div>
    </div>
  );
}

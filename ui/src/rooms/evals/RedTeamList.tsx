import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { RedTeam } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { Field, FormDialog } from "../../kit/Dialog";
import { count, money, percent } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";

/** The family that the most came through of, among those with a share. */
const weakest = (one: RedTeam) => [...one.families].filter((f) => f.figure.value != null).sort((a, b) => (b.figure.value ?? 0) - (a.figure.value ?? 0))[0];

const COLUMNS: Column<RedTeam>[] = [
  { key: "name", label: "Attacks", width: "minmax(140px,1fr)", cell: (one) => one.name || <code className="dim">{one.id.slice(0, 13)}</code> },
  { key: "target", label: "Target", width: "minmax(160px,1.2fr)", cell: (one) => one.target },
  { key: "packs", label: "Packs", width: "minmax(120px,1fr)", cell: (one) => <span className="dim">{one.packs.join(", ")}</span> },
  { key: "made", label: "Made", width: "64px", numeric: true, cell: (one) => <span className="num">{count(one.attacks)}</span> },
  { key: "through", label: "Came through", width: "96px", numeric: true, cell: (one) => <span className="num">{count(one.whole.succeeded)}</span> },
  { key: "unclear", label: "Unclear", width: "64px", numeric: true, cell: (one) => <span className="num">{count(one.whole.unclear)}</span> },
  {
    key: "weakest",
    label: "Weakest family",
    width: "minmax(180px,1.2fr)",
    cell: (one) => {
      const family = weakest(one);
      return family && (family.figure.value ?? 0) > 0 ? `${family.family} ${percent(family.figure.value, 0)}` : <span className="dim">nothing came through</span>;
    },
  },
  { key: "cost", label: "Cost", width: "80px", numeric: true, cell: (one) => <span className="num">{money(one.cost)}</span> },
  { key: "at", label: "Made at", width: "96px", cell: (one) => <Time at={one.created_at} /> },
];

/** Runs of attacks, and the way to start one. */
export function RedTeamList() {
  const navigate = useNavigate();
  const who = useWho();
  const [url, setUrl] = useUrl();
  const [marked, setMarked] = useState<string[]>([]);
  const query = $api.useInfiniteQuery("get", "/redteams", { params: { query: { target: url.target ?? "", limit: 100 } } }, { ...PAGES, refetchInterval: 10_000 });
  const allowed = may(who.data, "redteam.write");
  return (
    <Page
      title="Red team"
      flush
      actions={
        <>
          {marked.length === 2 && (
            <button type="button" className="btn" onClick={() => void navigate({ to: `/redteam/${marked[1]}`, search: { baseline: marked[0] } as never })}>
              Compare the two
            </button>
          )}
          <Primary may={allowed} go={() => setUrl({ new: "1" })}>Attack a target</Primary>
        </>
      }
    >
      <List
        label="Runs of attacks"
        noun="run"
        {...paged(query)}
        columns={COLUMNS}
        id={(one) => one.id}
        open={(one) => void navigate({ to: `/redteam/${one.id}` })}
        marks={{
          marked,
          toggle: (id) => setMarked((old) => (old.includes(id) ? old.filter((other) => other !== id) : [...old, id].slice(-2))),
          label: (one) => `Mark ${one.name || one.id}`,
        }}
        blank={
          <Blank
            icon="guard"
            title="Nothing was attacked yet"
            text="Attacks from our own pack and from installed packages show what a deployment lets through, by family, with intervals where they hold."
            code={"mainspring redteam run deployment/docs\nmainspring redteam run release/docs@2 --packs own --packs garak --fail-over 0.1"}
          />
        }
      />
      {url.new && allowed && <Start close={() => setUrl({ new: undefined })} />}
    </Page>
  );
}

function Start({ close }: { close: () => void }) {
  const navigate = useNavigate();
  const outcome = useOutcome();
  const packs = $api.useQuery("get", "/redteams/packs", {});
  const [target, setTarget] = useState("");
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<string[]>(["own"]);
  const [limit, setLimit] = useState("40");
  const [judge, setJudge] = useState("");
  const [most, setMost] = useState("");
  const start = $api.useMutation("post", "/redteams", outcome<{ id: string }>("Attacks started.", { quiet: true, done: (run) => void navigate({ to: `/runs/${run.id}` }) }));
  const ready = target.trim() !== "" && chosen.length > 0 && /^\d+$/.test(limit) && (most === "" || /^\d+$/.test(most));
  return (
    <FormDialog
      title="Attack a target"
      close={close}
      size={520}
      ready={ready && !start.isPending}
      label="Attack"
      error={start.error}
      go={() => {
        if (!ready) return;
        const body = { target: target.trim(), packs: chosen, limit: Number(limit), judge: judge.trim(), ...(name && { name }), ...(most && { max_calls: Number(most) }) };
        start.mutate({ body: body as never });
      }}
    >
      <Field label="Target" note="deployment/…, release/…, model/…, or a server by its URL. A deployment by its name: then nothing counts as traffic.">
        <input className="input" data-autofocus value={target} placeholder="deployment/docs" onChange={(event) => setTarget(event.target.value)} />
      </Field>
      <fieldset className="stack tight plain">
        <legend>Packs</legend>
        {(packs.data ?? []).map((pack) => (
          <label key={pack.name} className="row" title={pack.installed ? pack.summary : pack.hint}>
            <input
              type="checkbox"
              checked={chosen.includes(pack.name)}
              disabled={!pack.installed}
              onChange={() => setChosen((old) => (old.includes(pack.name) ? old.filter((one) => one !== pack.name) : [...old, pack.name]))}
            />
            <span>
              {pack.name} <small className="dim">{pack.installed ? `${count(Object.values(pack.families ?? {}).reduce((a, b) => a + b, 0))} attacks ${pack.version}` : "not installed"}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <div className="pair">
        <Field label="At most of each family">
          <input className="input" inputMode="numeric" value={limit} onChange={(event) => setLimit(event.target.value)} />
        </Field>
        <Field label="At most calls" note="None: no bound.">
          <input className="input" inputMode="numeric" value={most} onChange={(event) => setMost(event.target.value)} />
        </Field>
        <Field label="Judge" note="Decides what nothing else shows.">
          <input className="input" value={judge} placeholder="none" onChange={(event) => setJudge(event.target.value)} />
        </Field>
        <Field label="Name" note="To compare by.">
          <input className="input" value={name} placeholder="none" onChange={(event) => setName(event.target.value)} />
        </Field>
      </div>
    </FormDialog>
  );
}

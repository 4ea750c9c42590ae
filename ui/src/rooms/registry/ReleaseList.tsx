import { useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Release } from "../../api/types";
import { Blank, Status, Time } from "../../kit/basics";
import { Choose, Filters } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { ReleaseForm } from "./ReleaseForm";

const STATES = ["draft", "in_review", "approved", "rejected", "withdrawn"];
const bare = (ref: string) => ref.replace(/^[a-z]+\//, "");

const COLUMNS: Column<Release>[] = [
  { key: "state", label: "State", width: "104px", cell: (r) => <Status state={r.state} /> },
  { key: "name", label: "Release", width: "minmax(140px,1fr)", cell: (r) => bare(r.ref) },
  { key: "model", label: "Model", width: "minmax(140px,1fr)", cell: (r) => <span className="dim">{bare(r.model)}</span> },
  { key: "prompt", label: "Prompt", width: "minmax(120px,1fr)", cell: (r) => <span className="dim">{bare(r.prompt)}</span> },
  { key: "guard", label: "Guard", width: "minmax(96px,0.8fr)", cell: (r) => <span className="dim">{bare(r.guard)}</span> },
  { key: "author", label: "Author", width: "104px", cell: (r) => r.author },
  { key: "note", label: "Note", width: "minmax(120px,1.4fr)", cell: (r) => <span className="dim">{r.note}</span> },
  { key: "changed", label: "Changed", width: "96px", cell: (r) => <Time at={r.changed_at} /> },
];

export function ReleaseList() {
  const [url, setUrl] = useUrl();
  const navigate = useNavigate();
  const who = useWho();
  const writes = may(who.data, "release.write");
  const state = STATES.find((one) => one === url.state) as Release["state"] | undefined;
  const query = $api.useInfiniteQuery("get", "/releases", { params: { query: { state, limit: 100 } } }, PAGES);
  return (
    <Page title="Releases" flush actions={<Primary may={writes} go={() => setUrl({ new: "1" })}>Create a release</Primary>}>
      <Filters>
        <Choose name="state" label="State" any="Any state" choices={STATES.map((one) => ({ value: one, label: one.replace("_", " ") }))} />
      </Filters>
      <List
        label="Releases"
        noun="release"
        {...paged(query)}
        columns={COLUMNS}
        id={(r) => r.ref}
        open={(r) => void navigate({ to: `/releases/${r.name}`, search: { version: String(r.number) } as never })}
        blank={
          state ? (
            <Blank icon="filter" title={`No release is ${state.replace("_", " ")}`} text="Choose another state." />
          ) : (
            <Blank
              icon="release"
              title="No releases yet"
              text="A release pins exact versions of model, prompt, guard policy and parameters. The gate checks it, and a second member approves it."
              code={"mainspring release create docs --model model/docs-lora \\\n  --prompt prompt/docs@production\nmainspring release check docs\nmainspring release approve docs"}
            />
          )
        }
      />
      {url.new && writes && (
        <ReleaseForm
          model={url.model}
          prompt={url.prompt}
          close={() => setUrl({ new: undefined, model: undefined, prompt: undefined })}
          done={(made) => void navigate({ to: `/releases/${made.name}`, search: { version: String(made.number) } as never })}
        />
      )}
    </Page>
  );
}

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Suite } from "../../api/types";
import { Blank } from "../../kit/basics";
import { Filters, holds, Words } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { List } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { keptColumns } from "../../kit/Versioned";
import { may, useWho } from "../../shell/session";
import { SuiteForm } from "./SuiteForm";

const COLUMNS = keptColumns<Suite>("Suite", [
  { key: "dataset", label: "Rows", width: "minmax(150px,1fr)", cell: (one) => <span className="dim">{`${one.dataset.replace(/^dataset\//, "")} ${one.split || "all"}`}</span> },
  { key: "scorers", label: "Scorers", width: "minmax(200px,2fr)", cell: (one) => <span className="dim">{one.scorers.join(", ")}</span> },
]);

/** Suites: which rows are asked, how, and how answers are scored, written down once for every experiment that is to be compared. */
export function SuiteList() {
  const who = useWho();
  const navigate = useNavigate();
  const [url, setUrl] = useUrl();
  const [making, setMaking] = useState(false);
  const query = $api.useInfiniteQuery("get", "/suites", { params: { query: { limit: 100 } } }, PAGES);
  return (
    <Page title="Suites" flush actions={<Primary may={may(who.data, "suite.write")} go={() => setMaking(true)}>Create a suite</Primary>}>
      <Filters>
        <Words placeholder="Name, rows, scorer or note" />
      </Filters>
      <List
        label="Suites"
        noun="suite"
        {...paged(query, (one) => holds(url.q, one.name, one.dataset, one.note, ...one.scorers))}
        columns={COLUMNS}
        id={(one) => one.name}
        open={(one) => void navigate({ to: `/suites/${one.name}` })}
        selected={url.at}
        select={(at) => setUrl({ at })}
        blank={
          <Blank
            icon="check"
            narrowed={Boolean(url.q) && "No suite matches"}
            title="No suites yet"
            text="A suite says which rows are asked, how, and how answers are scored. Every experiment over it can be compared with every other."
            code={`mainspring suite create faq dataset/faq@1 exact judge:helpful\nmainspring experiment run suite/faq model/smollm2`}
          />
        }
      />
      {making && <SuiteForm close={() => setMaking(false)} done={(made) => void navigate({ to: `/suites/${made.name}` })} />}
    </Page>
  );
}

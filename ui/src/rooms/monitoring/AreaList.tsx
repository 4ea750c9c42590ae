import { useNavigate } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { Issue } from "../../api/types";
import { Blank, Time } from "../../kit/basics";
import { Choose, Filters } from "../../kit/filters";
import { count, percent, signed } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Page } from "../../kit/page";
import { paged, PAGES } from "../../kit/pages";
import { may, useWho } from "../../shell/session";
import { AreaState } from "./AreaPage";

export const AREA_STATES = ["open", "acknowledged", "fixed", "ignored"] as const;

/** How much worse calls like these do, with its interval where there is one. */
export function said(effect: Issue["effect"]): string {
  if (!effect || effect.difference == null) return "–";
  const share = effect.metric === "errors" || effect.method === "newcombe";
  const shown = (value: number) => (share ? `${value > 0 ? "+" : value < 0 ? "−" : ""}${percent(Math.abs(value), 0)}` : signed(value, 2));
  const span = effect.low == null || effect.high == null ? "" : ` [${shown(effect.low)}, ${shown(effect.high)}]`;
  return `${shown(effect.difference)}${span}`;
}

/** How the traces of an area went wrong. */
export const goesWrong = (one: Pick<Issue, "why" | "score" | "tool">) =>
  one.why === "errors" ? "calls fail" : one.why === "tools" ? `the tool ${one.tool} fails` : `${one.score} is low`;

const COLUMNS: Column<Issue>[] = [
  { key: "state", label: "State", width: "124px", cell: (one) => <AreaState state={one.state} /> },
  { key: "name", label: "Area", width: "minmax(200px,2fr)", cell: (one) => one.name },
  { key: "why", label: "Goes wrong", width: "minmax(120px,0.8fr)", cell: (one) => goesWrong(one) },
  { key: "target", label: "Target", width: "minmax(100px,0.8fr)", cell: (one) => one.target || <span className="dim">all traffic</span> },
  { key: "count", label: "Traces", width: "72px", numeric: true, cell: (one) => <span className="num">{count(one.count)}</span> },
  { key: "effect", label: "Effect", width: "minmax(160px,1fr)", numeric: true, cell: (one) => <span className="num">{said(one.effect)}</span> },
  { key: "back", label: "Came back", width: "88px", numeric: true, cell: (one) => <span className="num">{one.reopened ? count(one.reopened) : "–"}</span> },
  { key: "last", label: "Last seen", width: "96px", cell: (one) => <Time at={one.last_at} /> },
];

/** Improvement areas: traces that went wrong in much the same way. */
export function AreaList() {
  const navigate = useNavigate();
  const who = useWho();
  const outcome = useOutcome();
  const [url] = useUrl();
  const state = AREA_STATES.find((one) => one === url.state);
  const query = $api.useInfiniteQuery("get", "/issues", { params: { query: { limit: 100, ...(state && { state }) } } }, PAGES);
  const find = $api.useMutation("post", "/issues/find", outcome<{ id: string }>("Looking for areas.", { done: (run) => void navigate({ to: `/runs/${run.id}` }) }));
  return (
    <Page
      title="Improvement areas"
      flush
      actions={
        may(who.data, "issue.write") && (
          <button type="button" className="btn primary" disabled={find.isPending} onClick={() => find.mutate({ body: {} as never })}>
            Look now
          </button>
        )
      }
    >
      <Filters>
        <Choose name="state" label="State" any="Any state" choices={AREA_STATES} />
      </Filters>
      <List
        label="Improvement areas"
        noun="area"
        {...paged(query)}
        columns={COLUMNS}
        id={(one) => one.id}
        open={(one) => void navigate({ to: `/areas/${one.id}` })}
        blank={
          <Blank
            icon="drift"
            narrowed={state && `No area is ${state}`}
            title="No improvement areas yet"
            text="Calls and tools that failed, and answers that scored low, in much the same way are grouped here, named, and tracked until a release fixes them."
            code={"mainspring issue find\nmainspring issue schedule --target docs --every-minutes 60"}
          />
        }
      />
    </Page>
  );
}

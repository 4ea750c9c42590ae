import { useNavigate } from "@tanstack/react-router";
import { useEffect, useId, useState } from "react";
import { $api } from "../../api/client";
import { Bar, Blank, Status, Time } from "../../kit/basics";
import { Choose, Chip, Filters } from "../../kit/filters";
import { count, plural } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { SavedViews } from "../../shell/SavedViews";
import { may, useWho } from "../../shell/session";
import { share } from "../tuning/progress";
import { ExperimentForm } from "./ExperimentForm";
import { amount, bare, headline } from "./figures";
import { STATES, useLines, type Line, type Narrowed } from "./lines";

const MOST = 10;
const dim = (text: string) => <span className="dim" title={text}>{text}</span>;

const COLUMNS: Column<Line>[] = [
  { key: "name", label: "Experiment", width: "minmax(120px,1fr)", cell: (one) => one.name || <span className="mono">{one.id.slice(0, 13)}</span> },
  { key: "state", label: "State", width: "92px", cell: (one) => <State line={one} /> },
  { key: "figures", label: "Figures, with 95 % intervals", width: "minmax(400px,3fr)", cell: (one) => <Headline line={one} /> },
  { key: "target", label: "Target", width: "minmax(110px,1fr)", cell: (one) => dim(bare(one.target)) },
  { key: "prompt", label: "Prompt", width: "minmax(80px,0.7fr)", cell: (one) => dim(bare(one.prompt)) },
  { key: "dataset", label: "Dataset", width: "minmax(110px,1fr)", cell: (one) => dim(`${bare(one.dataset)} ${one.split}${one.experiment?.constrained ? ", to a schema" : ""}`) },
  { key: "rows", label: "Rows", width: "60px", numeric: true, cell: (one) => <span className="num">{count(one.experiment?.rows)}</span> },
  { key: "at", label: "Created", width: "88px", cell: (one) => <Time at={one.at} /> },
];

function State({ line }: { line: Line }) {
  if (line.state === "finished") return <Status state="succeeded" label="finished" />;
  if (line.state === "stopped")
    return (
      <span title={line.experiment?.stopped}>
        <Status state="paused" label="stopped" />
      </span>
    );
  return <Status state={line.state} />;
}

function Headline({ line }: { line: Line }) {
  if (line.run?.error) return <span className="faint">{String(line.run.error.message)}</span>;
  if (line.run) return <Bar share={share(line.run)} label={`Progress of ${line.name || line.id}`} />;
  const figures = headline(line.experiment!.figures, 3);
  if (figures.length === 0) return <span className="faint">no metric applied</span>;
  return (
    <span className="figures">
      {figures.map((one) => (
        <span key={one.metric} title={one.note || one.method}>
          <span className="dim">{one.metric}</span> <b>{amount(one.value, one.unit)}</b>{" "}
          {one.low != null && <span className="faint">{`${amount(one.low, one.unit)}–${amount(one.high, one.unit)}`}</span>}
        </span>
      ))}
    </span>
  );
}

/** Every experiment, and what is on its way to be one; several marked ones are compared. */
export function ExperimentList() {
  const navigate = useNavigate();
  const [url, setUrl] = useUrl();
  const where: Narrowed = { dataset: url.dataset ?? "", target: url.target ?? "", prompt: url.prompt ?? "", suite: url.suite ?? "", name: url.name ?? "" };
  const lines = useLines(url.state ?? "", where);
  const marked = (url.marked ?? "").split(",").filter(Boolean);
  const narrowed = url.state || Object.values(where).some(Boolean);
  const who = useWho();
  const allowed = may(who.data, "experiment.write");
  const mark = (id: string) => {
    const next = marked.includes(id) ? marked.filter((one) => one !== id) : [...marked, id].slice(-MOST);
    setUrl({ marked: next.join(",") || undefined });
  };
  return (
    <Page
      title="Experiments"
      flush
      actions={
        <>
          <Compare marked={marked} items={lines.items ?? []} clear={() => setUrl({ marked: undefined })} />
          <SavedViews page="experiments" keys={["dataset", "target", "prompt", "suite", "name", "state"]} />
          <Primary may={allowed} go={() => setUrl({ new: "1" })}>Run an experiment</Primary>
        </>
      }
    >
      <Narrow where={where} />
      <List
        label="Experiments"
        noun="experiment"
        {...lines}
        columns={COLUMNS}
        id={(one) => one.id}
        open={(one) => void navigate({ to: `/experiments/${one.id}` })}
        selected={url.at}
        select={(at) => setUrl({ at })}
        marks={{ marked, toggle: mark, label: (one) => `Mark ${one.name || one.id}`, may: (one) => Boolean(one.experiment) }}
        blank={
          narrowed ? (
            <Blank icon="filter" title="No experiment matches" text="Take a filter away. A reference without a version, such as dataset/docs, finds every version." />
          ) : (
            <Blank
              icon="experiment"
              title="No experiments yet"
              text="An experiment sends the rows of a dataset to a model or a release and scores the answers, each figure with its interval."
              code={"mainspring experiment run dataset/docs model/smollm2 \\\n  --prompt prompt/docs --split test"}
            />
          )
        }
      />
      {url.new && allowed && <ExperimentForm begin={{ ...where, dataset: where.dataset || where.suite }} close={() => setUrl({ new: undefined })} done={(run) => void navigate({ to: `/experiments/${run.id}` })} />}
    </Page>
  );
}

/** The oldest of the marked is the baseline; the page lets another be it. */
function Compare({ marked, items, clear }: { marked: string[]; items: Line[]; clear: () => void }) {
  const navigate = useNavigate();
  const chosen = items.filter((one) => marked.includes(one.id));
  const apart = new Set(chosen.map((one) => one.dataset)).size > 1;
  return (
    <>
      {marked.length > 0 && (
        <button type="button" className="btn quiet" onClick={clear}>
          Clear
        </button>
      )}
      <span className="faint" role="status">
        {apart ? "They are over different datasets" : marked.length === 0 ? "Mark two or more to compare" : plural(marked.length, "marked", "marked")}
      </span>
      <button
        type="button"
        className={marked.length > 1 && !apart ? "btn primary" : "btn"}
        disabled={marked.length < 2 || apart}
        onClick={() => void navigate({ to: "/experiments/compare", search: { ids: [...marked].sort().join(",") } as never })}
      >
        Compare
      </button>
    </>
  );
}

function Narrow({ where }: { where: Narrowed }) {
  const [, setUrl] = useUrl();
  const some = $api.useQuery("get", "/experiments", { params: { query: { limit: 500 } } }, { staleTime: 60_000 });
  const known = (field: "dataset" | "target" | "prompt") => [...new Set(some.data?.items.map((one) => one[field].split("@")[0]!).filter(Boolean))].sort();
  const choose = (field: string) => (value: string) => setUrl({ [field]: value || undefined, at: undefined }, true);
  return (
    <Filters>
      <Reference label="Dataset" value={where.dataset} known={known("dataset")} choose={choose("dataset")} />
      <Reference label="Target" value={where.target} known={known("target")} choose={choose("target")} />
      <Reference label="Prompt" value={where.prompt} known={known("prompt")} choose={choose("prompt")} />
      <Choose name="state" label="State" any="Finished and running" choices={STATES} />
      {(["suite", "name"] as const).map(
        (field) =>
          where[field] && <Chip key={field} label={field} value={where[field]} drop={() => choose(field)("")} />,
      )}
    </Filters>
  );
}

/** A reference typed, or chosen from those that are known; a change of mind takes it away. */
function Reference(props: { label: string; value: string; known: string[]; choose: (value: string) => void }) {
  const id = useId();
  const [text, setText] = useState(props.value);
  useEffect(() => setText(props.value), [props.value]);
  const settle = (value: string) => value.trim() !== props.value && props.choose(value.trim());
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        settle(text);
      }}
    >
      <input
        className="input"
        type="search"
        list={id}
        placeholder={`Any ${props.label.toLowerCase()}`}
        aria-label={props.label}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          if (event.target.value === "" || props.known.includes(event.target.value)) settle(event.target.value);
        }}
        onBlur={() => settle(text)}
      />
      <datalist id={id}>
        {props.known.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </form>
  );
}

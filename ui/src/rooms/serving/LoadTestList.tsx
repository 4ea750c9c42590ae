import { useNavigate } from "@tanstack/react-router";
import type { LoadTest } from "../../api/types";
import { Bar, Blank, Status, Time } from "../../kit/basics";
import { Choose, Filters } from "../../kit/filters";
import { figure } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, type Column } from "../../kit/list";
import { Page, Primary } from "../../kit/page";
import { may, useWho } from "../../shell/session";
import { share } from "../tuning/progress";
import { STATES, useLines, type Line } from "./loadLines";
import { LoadTestForm } from "./LoadTestForm";
import { unitOf } from "./loads";

const of = (line: Line, tell: (test: LoadTest) => number | null) => <span className="num">{line.test ? figure(tell(line.test)) : ""}</span>;

const COLUMNS: Column<Line>[] = [
  { key: "target", label: "Target", width: "minmax(140px,1fr)", cell: (line) => line.target },
  { key: "state", label: "State", width: "96px", cell: (line) => <Status state={line.run?.state ?? "succeeded"} label={line.run?.state ?? "finished"} /> },
  { key: "release", label: "Release", width: "minmax(120px,1fr)", cell: (line) => <span className="dim">{line.test?.release.replace(/^release\//, "") || "–"}</span> },
  { key: "levels", label: "Levels", width: "minmax(160px,1.2fr)", cell: (line) => <Levels line={line} /> },
  { key: "knee", label: "Knee", width: "80px", numeric: true, cell: (line) => of(line, (test) => test.knee) },
  { key: "sustained", label: "Sustained", width: "96px", numeric: true, cell: (line) => of(line, (test) => test.sustained) },
  { key: "most", label: "Most tokens/s", width: "112px", numeric: true, cell: (line) => of(line, (test) => Math.max(...test.levels.map((one) => one.tokens_per_second))) },
  { key: "at", label: "Started", width: "112px", cell: (line) => <Time at={line.at} /> },
];

function Levels({ line }: { line: Line }) {
  if (line.test) return `${line.test.levels.map((one) => figure(one.load)).join(", ")} ${unitOf(line.test)}`;
  if (line.run?.error) return <span className="faint">{String(line.run.error.message)}</span>;
  return line.run && <Bar share={share(line.run)} label={`Progress of the load test of ${line.target}`} />;
}

export function LoadTestList() {
  const navigate = useNavigate();
  const who = useWho();
  const [url, setUrl] = useUrl();
  const lines = useLines(url.state ?? "");
  const allowed = may(who.data, "loadtest.write");
  return (
    <Page title="Load tests" flush actions={<Primary may={allowed} go={() => setUrl({ new: "1" })}>Run a load test</Primary>}>
      <Filters>
        <Choose name="state" label="State" any="Finished and running" choices={STATES} />
      </Filters>
      <List
        label="Load tests"
        noun="load test"
        {...lines}
        columns={COLUMNS}
        id={(line) => line.id}
        open={(line) => void navigate({ to: `/loadtests/${line.id}` })}
        blank={
          <Blank
            icon="run"
            narrowed={url.state && `No load test is ${url.state}`}
            title="No load tests yet"
            text="A load test shows how much a deployment bears: time to the first token and to the last, throughput, and where more load buys only waiting."
            code={`mainspring loadtest run --deployment docs \\\n  --rates '[1, 2, 4, 8]' --slo ttft=500,itl=50`}
          />
        }
      />
      {url.new && allowed && <LoadTestForm deployment={url.deployment} close={() => setUrl({ new: undefined, deployment: undefined })} done={(run) => void navigate({ to: `/loadtests/${run.id}` })} />}
    </Page>
  );
}

import { $api } from "../../api/client";
import type { GateReport, Release, ReleaseEvent } from "../../api/types";
import { Blank, Card, Id, KeyValues, Snippet, Status, Time } from "../../kit/basics";
import { Facts } from "../../kit/Facts";
import { Icon } from "../../kit/icons";
import { Show } from "../../kit/page";
import { useVersion, VersionedPage } from "../../kit/Versioned";
import { RefLink } from "../../shell/RefLink";
import { Evidence, type Piece } from "../evals/Evidence";
import { LineageView } from "../governance/LineageView";
import { ReleaseActions } from "../governance/ReleaseActions";

const TABS = ["Review", "Lineage", "Card", "Bill of materials"] as const;

/** One release: what it pins, what the gate found, the evidence, and who decided what. */
export function ReleasePage() {
  const { of, one } = useVersion(TABS);
  const query = $api.useQuery("get", "/releases/{name}", one);
  const versions = $api.useQuery("get", "/releases", { params: { query: { name: of.name, limit: 200 } } });
  const release = query.data;
  return (
    <VersionedPage
      {...of}
      crumb={{ label: "Releases", to: "/releases" }}
      query={query}
      versions={versions.data?.items}
      badge={release && <Status state={release.state} />}
      tabsLabel="Parts of the release"
      actions={release && <ReleaseActions release={release} />}
    >
      {(found) => (
        <>
          {of.tab === "Review" && <Review release={found} />}
          {of.tab === "Lineage" && <LineageView reference={found.ref} />}
          {of.tab === "Card" && <CardText release={found} />}
          {of.tab === "Bill of materials" && <Bom release={found} />}
        </>
      )}
    </VersionedPage>
  );
}

/** The gate's last report, from the event that keeps it. */
export function lastReport(events: readonly ReleaseEvent[] | undefined): GateReport | undefined {
  const checked = events?.filter((event) => event.kind === "checked").at(-1);
  return checked && Array.isArray((checked.detail as Partial<GateReport>).checks) ? (checked.detail as unknown as GateReport) : undefined;
}

function pieces(report: GateReport): Piece[] {
  const found = report.checks.find((check) => check.name === "evidence")?.detail?.comparisons;
  return Array.isArray(found) ? (found as Piece[]) : [];
}

function Review({ release }: { release: Release }) {
  const report = lastReport(release.events);
  return (
    <div className="stack">
      <div className="columns">
        {report ? (
          <Gate report={report} />
        ) : (
          <Card title="Gate">
            <Blank
              small
              icon="guard"
              title="The gate has not checked this release"
              text="It looks at evidence, parity, leakage, licences, files and personal data."
              code={`mainspring release check ${release.name} --selector ${release.number}`}
            />
          </Card>
        )}
        <div className="stack">
          <Card title="Pins">
            <KeyValues
              items={[
                ["Model", <RefLink key="m" value={release.model} />],
                ["Prompt", release.prompt ? <RefLink key="p" value={release.prompt} /> : <span className="faint">none</span>],
                ["Guard", release.guard ? <code key="g">{release.guard}</code> : <span className="faint">none</span>],
                ["Content", <Id key="c" value={release.sha256} length={16} />],
              ]}
            />
          </Card>
          <Card title="Parameters">
            <Facts value={release.parameters} />
          </Card>
          <Card title="History">
            <History events={release.events ?? []} />
          </Card>
        </div>
      </div>
      {report && <Evidence pieces={pieces(report)} />}
    </div>
  );
}

function Gate({ report }: { report: GateReport }) {
  return (
    <Card title="Gate" actions={<Status state={report.passed ? "passed" : "failed"} label={report.passed ? "every check passed" : "not passed"} />} flush>
      <ul className="checks">
        {report.checks.map((check) => (
          <li key={check.name}>
            <span style={{ color: check.passed ? "var(--ok)" : "var(--error)" }}>
              <Icon name={check.passed ? "check" : "cross"} />
            </span>
            <div className="grow">
              <p>
                <b>{check.name}</b> <span className="sr">{check.passed ? "passed" : "failed"}</span>
              </p>
              <p className="dim">{check.summary}</p>
              {check.detail && Object.keys(check.detail).length > 0 && (
                <details>
                  <summary>Details</summary>
                  <div style={{ padding: "8px 0" }}>
                    <Facts value={Object.fromEntries(Object.entries(check.detail).filter(([key]) => key !== "comparisons"))} />
                  </div>
                </details>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function History({ events }: { events: readonly ReleaseEvent[] }) {
  return (
    <ol className="history">
      {[...events].reverse().map((event) => (
        <li key={`${event.kind}${event.at}`}>
          <div className="row">
            <b>{event.kind}</b>
            <span className="dim">by {event.member}</span>
            <span style={{ marginLeft: "auto" }}>
              <Time at={event.at} />
            </span>
          </div>
          {event.note && <p className="dim">{event.note}</p>}
        </li>
      ))}
    </ol>
  );
}

function CardText({ release }: { release: Release }) {
  const query = $api.useQuery("get", "/releases/{name}/card", { params: { path: { name: release.name }, query: { selector: String(release.number) } } });
  return <Show query={query}>{(document) => <Snippet code={document.text} label="Copy the card" />}</Show>;
}

function Bom({ release }: { release: Release }) {
  const query = $api.useQuery("get", "/releases/{name}/bom", { params: { path: { name: release.name }, query: { selector: String(release.number) } } });
  return <Show query={query}>{(document) => <Snippet code={JSON.stringify(document, null, 2)} label="Copy the bill of materials" />}</Show>;
}

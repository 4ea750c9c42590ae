import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import type { IssueDetail } from "../../api/types";
import { Blank, Card, KeyValues, Stats, Status, Time } from "../../kit/basics";
import { Histogram, Shares } from "../../kit/chart";
import { Field, FormDialog } from "../../kit/Dialog";
import { count, figure, percent, plural } from "../../kit/format";
import { useOutcome } from "../../kit/outcome";
import { Page, Show } from "../../kit/page";
import { RefLink } from "../../shell/RefLink";
import { may, useWho } from "../../shell/session";
import { goesWrong, said } from "./AreaList";

const TONES: Record<string, string> = { open: "open", acknowledged: "acknowledged", fixed: "resolved", ignored: "withdrawn" };

export function AreaState({ state }: { state: string }) {
  return <Status state={TONES[state] ?? "unset"} label={state} />;
}

/** One improvement area: how often, how bad, examples, its history, and what to make of it. */
export function AreaPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const query = $api.useQuery("get", "/issues/{issue_id}", { params: { path: { issue_id: id } } });
  return (
    <Page
      title={query.data?.name ?? "Improvement area"}
      crumbs={[{ label: "Improvement areas", to: "/areas" }]}
      badge={query.data && <AreaState state={query.data.state} />}
      actions={query.data && <Moves area={query.data} />}
    >
      <Show query={query}>{(area) => <Body area={area} />}</Show>
    </Page>
  );
}

function Body({ area }: { area: IssueDetail }) {
  const effect = area.effect;
  const mean = (value: number | null | undefined) => (value == null ? "–" : effect?.metric === "errors" || effect?.method === "newcombe" ? percent(value, 0) : figure(value));
  return (
    <div className="columns wide">
      <div className="stack">
        <Stats
          items={[
            { label: "Traces", value: count(area.count) },
            { label: "Effect", value: said(effect), note: effect?.low == null ? effect?.note : standing(effect) },
            { label: "Calls that ask alike", value: mean(effect?.inside), note: effect ? `${count(effect.n_inside)} calls` : undefined },
            { label: "Other calls", value: mean(effect?.outside), note: effect ? `${count(effect.n_outside)} calls` : undefined },
          ]}
        />
        <Card title="Traces by day">
          <Histogram label="Traces by day" bins={area.days.map((day) => ({ label: day.day.slice(5), value: day.count }))} />
        </Card>
        <Card title="Examples">
          {area.examples.length === 0 ? (
            <Blank small icon="traces" title="Its traces are gone" />
          ) : (
            <ul className="stack tight examples" aria-label="Examples">
              {area.examples.map((one) => (
                <li key={one.trace_id} className="stack tight">
                  <div className="row">
                    <RefLink value={`trace/${one.trace_id}`} />
                    {one.value != null && <span className="tag">{`${area.score} ${figure(one.value)}`}</span>}
                    <Time at={one.at} />
                  </div>
                  <p className="clip">{one.question || <span className="faint">Its text is not kept.</span>}</p>
                  {one.answer && <p className="clip dim">{one.answer}</p>}
                  {one.comment && <p className="clip">“{one.comment}”</p>}
                </li>
              ))}
            </ul>
          )}
        </Card>
      </div>
      <div className="stack">
        <Card title="Area">
          <KeyValues
            items={[
              ["Goes wrong", goesWrong(area)],
              ["Words", area.words.join(", ") || <span className="faint">none</span>],
              ["Target", area.target || "all traffic"],
              ["Environment", area.environment || "all"],
              ["First seen", <Time key="f" at={area.first_at} />],
              ["Last seen", <Time key="l" at={area.last_at} />],
              ["Fixed by", area.release ? <RefLink key="r" value={area.release} /> : <span className="faint">no release named</span>],
              ["Came back", area.reopened ? `${count(area.reopened)} times` : "never"],
              ["Note", area.note || <span className="faint">none</span>],
            ]}
          />
        </Card>
        <Card title="By release">
          <Shares label="Traces by release" items={Object.entries(area.releases).map(([release, value]) => ({ label: release.replace(/^release\//, "") || "no release", value }))} />
        </Card>
        <Card title="History">
          <ol className="stack tight" aria-label="History">
            {area.events.map((event, index) => (
              <li key={index}>
                <b>{event.kind}</b> by {event.member}, <Time at={event.at} />
                {event.note && <p className="dim">{event.note}</p>}
              </li>
            ))}
          </ol>
        </Card>
      </div>
    </div>
  );
}

/** Whether the calls are shown to do worse, and for how many areas that is corrected. */
function standing(effect: NonNullable<IssueDetail["effect"]>): string {
  const others = `${plural(effect.areas ?? 1, "area")} measured together`;
  return effect.shown ? `shown to do worse, corrected for ${others}` : `not shown to do worse, with ${others}`;
}

type Asked = "resolve" | "dataset" | "queue";

function Moves({ area }: { area: IssueDetail }) {
  const who = useWho();
  const outcome = useOutcome();
  const [asked, setAsked] = useState<Asked>();
  const call = { params: { path: { issue_id: area.id } }, body: { note: "" } };
  const acknowledge = $api.useMutation("post", "/issues/{issue_id}/acknowledge", outcome("Acknowledged."));
  const ignore = $api.useMutation("post", "/issues/{issue_id}/ignore", outcome("Ignored."));
  const reopen = $api.useMutation("post", "/issues/{issue_id}/reopen", outcome("Open again."));
  if (!may(who.data, "issue.write")) return null;
  return (
    <>
      {may(who.data, "dataset.write") && (
        <button type="button" className="btn" onClick={() => setAsked("dataset")}>
          Create a dataset
        </button>
      )}
      {may(who.data, "queue.write") && (
        <button type="button" className="btn" onClick={() => setAsked("queue")}>
          Put into a queue
        </button>
      )}
      {area.state === "open" && (
        <button type="button" className="btn" disabled={acknowledge.isPending} onClick={() => acknowledge.mutate(call)}>
          Acknowledge
        </button>
      )}
      {area.state !== "ignored" && (
        <button type="button" className="btn" disabled={ignore.isPending} onClick={() => ignore.mutate(call)}>
          Ignore
        </button>
      )}
      {area.state !== "open" && (
        <button type="button" className="btn" disabled={reopen.isPending} onClick={() => reopen.mutate(call)}>
          Reopen
        </button>
      )}
      {area.state !== "fixed" && (
        <button type="button" className="btn primary" onClick={() => setAsked("resolve")}>
          Say it is fixed
        </button>
      )}
      {asked && <Ask area={area} asked={asked} close={() => setAsked(undefined)} />}
    </>
  );
}

const TEXTS: Record<Asked, { title: string; label: string; note: string; go: string; placeholder: string }> = {
  resolve: { title: "Say it is fixed", label: "Release that fixes it", note: "Empty for none. The area is open again where a trace of it, or of a later one, shows the same.", go: "Fixed", placeholder: "release/docs@2" },
  dataset: { title: "Create a dataset", label: "Dataset", note: "Its newest traces become a version, with corrected answers where people gave them.", go: "Create", placeholder: "hard-questions" },
  queue: { title: "Put into a queue", label: "Queue", note: "Its newest traces wait there for people to judge them.", go: "Put", placeholder: "answers" },
};

function Ask({ area, asked, close }: { area: IssueDetail; asked: Asked; close: () => void }) {
  const outcome = useOutcome();
  const [name, setName] = useState("");
  const text = TEXTS[asked];
  const done = { quiet: true, done: close };
  const resolve = $api.useMutation("post", "/issues/{issue_id}/resolve", outcome("Noted that it is fixed.", done));
  const dataset = $api.useMutation("post", "/issues/{issue_id}/dataset", outcome<{ ref: string }>((made) => `${made.ref} is made.`, done));
  const queue = $api.useMutation("post", "/issues/{issue_id}/queue", outcome<{ added: number }>((made) => `${made.added} traces were put into ${name}.`, done));
  const params = { path: { issue_id: area.id } };
  const go = () => {
    if (asked === "resolve") resolve.mutate({ params, body: { note: "", ...(name.trim() && { release: name.trim() }) } as never });
    if (asked === "dataset") dataset.mutate({ params, body: { name: name.trim() } as never });
    if (asked === "queue") queue.mutate({ params, body: { name: name.trim() } as never });
  };
  return (
    <FormDialog
      title={text.title}
      close={close}
      ready={(asked === "resolve" || name.trim() !== "") && !(resolve.isPending || dataset.isPending || queue.isPending)}
      label={text.go}
      error={resolve.error ?? dataset.error ?? queue.error}
      go={go}
    >
      <Field label={text.label} note={text.note}>
        <input className="input" data-autofocus value={name} placeholder={text.placeholder} onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  );
}

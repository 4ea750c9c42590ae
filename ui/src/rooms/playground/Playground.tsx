import { useCallback, useEffect, useRef, useState, type CSSProperties } from "react";
import { $api, api } from "../../api/client";
import type { PromptVariable } from "../../api/types";
import { Blank, Skeleton } from "../../kit/basics";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { Failure, Page } from "../../kit/page";
import { toast } from "../../kit/toast";
import { may, useWho } from "../../shell/session";
import { readMessages } from "../traces/messages";
import { ask } from "./ask";
import { AnswerCell, Values } from "./Cases";
import { KeepAnswer, PickRows, SaveVersion } from "./Dialogs";
import { caseOf, draftOf, emptyDraft, nextKey, templateOf, typed, type Answer, type Case, type Draft } from "./state";
import { Checked, Variant } from "./Variant";

const MOST_VARIANTS = 6;
const AT_ONCE = 4;
/** States of a release that nothing may ask any more. */
const ENDED = new Set(["rejected", "withdrawn"]);
const emptyCase = (): Case => ({ key: nextKey(), values: {}, origin: "", reference: "" });

type Asking = { kind: "rows" } | { kind: "save"; draft: Draft } | { kind: "keep"; draft: Draft; answer: Answer };

/** Variants side by side over the same values: what each answers, how long it takes and what it costs. */
export function Playground() {
  const who = useWho();
  const models = $api.useQuery("get", "/models", { params: { query: { limit: 200 } } });
  const prompts = $api.useQuery("get", "/prompts", { params: { query: { limit: 200 } } });
  const modelRefs = models.data?.items.map((one) => one.ref) ?? [];
  const releases = $api.useQuery("get", "/releases", { params: { query: { limit: 200 } } }, { retry: false });
  const deployments = $api.useQuery("get", "/deployments", { params: { query: { limit: 200 } } }, { retry: false });
  const targets = {
    Models: modelRefs,
    Releases: releases.data?.items.filter((one) => !ENDED.has(one.state)).map((one) => one.ref) ?? [],
    Deployments: deployments.data?.items.map((one) => `deployment/${one.name}`) ?? [],
  };
  const promptRefs = prompts.data?.items.map((one) => `prompt/${one.name}@${one.latest}`) ?? [];
  const table = useTable(modelRefs[0] ?? "");
  const { drafts, cases, answers } = table;
  const [asking, setAsking] = useState<Asking>();
  const variables = union(drafts);
  const busy = Object.values(answers).some((answer) => answer.state === "running");
  const ready = drafts.every((draft) => draft.model && may(who.data, `${draft.model.split("/")[0]}.use`));
  if (models.data?.items.length === 0)
    return (
      <Page title="Playground">
        <Blank icon="model" title="No model to ask yet" text="Fetch the small one that comes with Mainspring, or import your own." code="mainspring model pull smollm2" />
      </Page>
    );
  if (models.error || drafts.length === 0)
    return (
      <Page title="Playground">{models.error ? <Failure error={models.error} retry={models.refetch} /> : <Skeleton lines={8} />}</Page>
    );
  return (
    <Page
      title="Playground"
      flush
      actions={
        <>
          <button type="button" className="btn" disabled={drafts.length >= MOST_VARIANTS} onClick={() => table.add(emptyDraft(drafts.at(-1)?.model ?? modelRefs[0] ?? ""))}>
            Add a variant
          </button>
          <button type="button" className="btn" onClick={() => setAsking({ kind: "rows" })}>
            <Icon name="data" size={14} /> Rows of a dataset
          </button>
          {busy ? (
            <button type="button" className="btn" onClick={table.stop}>
              <Icon name="pause" size={14} /> Stop
            </button>
          ) : (
            <button type="button" className="btn primary" disabled={!ready} onClick={() => void table.run()}>
              <Icon name="run" size={14} /> Run
            </button>
          )}
        </>
      }
    >
      <div className="playground" tabIndex={0} role="region" aria-label="Variants and cases" style={{ "--variants": drafts.length } as CSSProperties}>
        <div className="playground-corner">
          <p className="faint">Each variant answers each case. Calls are traced as the service playground.</p>
        </div>
        {drafts.map((draft, index) => (
          <div key={draft.key} className="playground-head">
            <Variant
              draft={draft}
              title={`Variant ${String.fromCharCode(65 + index)}`}
              prompts={promptRefs}
              targets={targets}
              change={(changed) => table.change(changed)}
              pick={(ref) => void table.pick(draft.key, ref)}
              copy={() => drafts.length < MOST_VARIANTS && table.add({ ...draft, key: nextKey() })}
              remove={drafts.length > 1 ? () => table.remove(draft.key) : undefined}
              save={!draft.same && may(who.data, "prompt.write") ? () => setAsking({ kind: "save", draft }) : undefined}
            />
            <Found draft={draft} found={table.found} />
          </div>
        ))}
        {cases.map((one, row) => [
          <Values
            key={one.key}
            one={one}
            number={row + 1}
            variables={variables}
            change={table.changeCase}
            remove={cases.length > 1 ? () => table.removeCase(one.key) : undefined}
          />,
          ...drafts.map((draft, index) => {
            const answer = answers[`${one.key}:${draft.key}`];
            const keep = answer && may(who.data, "dataset.write") ? () => setAsking({ kind: "keep", draft, answer }) : undefined;
            return <AnswerCell key={`${one.key}:${draft.key}`} answer={answer} label={`Answer of variant ${String.fromCharCode(65 + index)} to case ${row + 1}`} keep={keep} />;
          }),
        ])}
        <div className="playground-more">
          <button type="button" className="btn" onClick={() => table.addCases([emptyCase()])}>
            Add a case
          </button>
        </div>
      </div>
      {asking?.kind === "rows" && (
        <PickRows
          close={() => setAsking(undefined)}
          chosen={(rows, dataset) => {
            const names = variables.map(([name]) => name);
            table.addCases(rows.map((row) => caseOf(row, names, `${dataset}#${row.id}`)));
            setAsking(undefined);
          }}
        />
      )}
      {asking?.kind === "save" && (
        <SaveVersion
          draft={asking.draft}
          close={() => setAsking(undefined)}
          saved={(made) => {
            table.change({ ...draftOf(made, asking.draft.model), key: asking.draft.key, held: asking.draft.held });
            setAsking(undefined);
          }}
        />
      )}
      {asking?.kind === "keep" && <KeepAnswer draft={asking.draft} answer={asking.answer} close={() => setAsking(undefined)} />}
    </Page>
  );
}

function Found({ draft, found }: { draft: Draft; found: (key: number, variables: Record<string, PromptVariable>) => void }) {
  const tell = useCallback((variables: Record<string, PromptVariable>) => found(draft.key, variables), [draft.key, found]);
  return <Checked draft={draft} found={tell} />;
}

function union(drafts: Draft[]): [string, PromptVariable][] {
  return Object.entries(Object.assign({}, ...drafts.map((draft) => draft.variables).reverse()) as Record<string, PromptVariable>);
}

/** Variants, cases and answers; the first variant comes from the address: `?prompt=` (several with commas) or `?trace=&span=`. */
function useTable(model: string) {
  const [url, setUrl] = useUrl();
  const [drafts, setDrafts] = useState<Draft[]>([]);
  const [cases, setCases] = useState<Case[]>([emptyCase()]);
  const [answers, setAnswers] = useState<Record<string, Answer>>({});
  const stopper = useRef<AbortController | undefined>(undefined);
  const begun = useRef(false);
  useEffect(() => {
    if (!model || begun.current) return;
    begun.current = true;
    void begin(url, model).then(
      (made) => {
        setDrafts(made.drafts);
        setCases(made.cases);
      },
      (error: unknown) => {
        toast((error as Error).message, { tone: "error" });
        setDrafts([emptyDraft(model)]);
      },
    );
  }, [model, url]);
  useEffect(() => () => stopper.current?.abort(), []);
  const remember = (next: Draft[]) => setUrl({ prompt: next.filter((draft) => draft.ref).map((draft) => draft.ref).join(",") || undefined, trace: undefined, span: undefined });
  const found = useCallback((key: number, variables: Record<string, PromptVariable>) => {
    setDrafts((old) =>
      old.map((draft) => {
        if (draft.key !== key || draft.same) return draft;
        const merged = Object.fromEntries(Object.entries(variables).map(([name, variable]) => [name, draft.declared[name] ?? variable]));
        return JSON.stringify(merged) === JSON.stringify(draft.variables) ? draft : { ...draft, variables: merged };
      }),
    );
  }, []);
  const run = async () => {
    stopper.current = new AbortController();
    const { signal } = stopper.current;
    const work = cases.flatMap((one) => drafts.map((draft) => ({ one, draft })));
    setAnswers({});
    const next = async () => {
      for (let item = work.shift(); item && !signal.aborted; item = work.shift()) {
        const { one, draft } = item;
        const tell = (answer: Answer) => setAnswers((old) => ({ ...old, [`${one.key}:${draft.key}`]: answer }));
        try {
          await ask(draft, typed(one.values, draft.variables), signal, tell);
        } catch (error) {
          tell({ state: "failed", text: "", sent: [], error: (error as Error).message });
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  };
  return {
    drafts,
    cases,
    answers,
    found,
    run,
    stop: () => stopper.current?.abort(),
    change: (changed: Draft) => setDrafts((old) => old.map((draft) => (draft.key === changed.key ? changed : draft))),
    add: (draft: Draft) => setDrafts((old) => [...old, draft]),
    remove: (key: number) => {
      const next = drafts.filter((draft) => draft.key !== key);
      setDrafts(next);
      remember(next);
    },
    pick: async (key: number, ref: string) => {
      const old = drafts.find((draft) => draft.key === key)!;
      try {
        const made = ref ? await load(ref, old.model) : { ...old, ref: "", same: false };
        const next = drafts.map((draft) => (draft.key === key ? { ...made, key } : draft));
        setDrafts(next);
        remember(next);
      } catch (error) {
        toast((error as Error).message, { tone: "error" });
      }
    },
    addCases: (more: Case[]) => setCases((old) => [...old.filter((one) => Object.values(one.values).some(Boolean) || more.every((item) => !item.origin)), ...more]),
    changeCase: (changed: Case) => setCases((old) => old.map((one) => (one.key === changed.key ? changed : one))),
    removeCase: (key: number) => setCases((old) => old.filter((one) => one.key !== key)),
  };
}

async function load(ref: string, model: string): Promise<Draft> {
  const [name = "", selector = ""] = ref.replace(/^prompt\//, "").split("@");
  const { data } = await api.GET("/prompts/{name}", { params: { path: { name }, query: { selector } } });
  return draftOf(data!, model);
}

async function begin(url: Record<string, string | undefined>, model: string): Promise<{ drafts: Draft[]; cases: Case[] }> {
  if (url.trace) return fromTrace(url.trace, url.span ?? "", model);
  const refs = (url.prompt ?? "").split(",").filter(Boolean).slice(0, MOST_VARIANTS);
  const drafts = await Promise.all(refs.map((ref) => load(ref, model)));
  return { drafts: drafts.length ? drafts : [emptyDraft(model)], cases: [emptyCase()] };
}

/** A span again: through its prompt with the question that was asked, or else with its messages as they were. */
async function fromTrace(trace: string, span: string, model: string): Promise<{ drafts: Draft[]; cases: Case[] }> {
  const found = span
    ? (await api.GET("/traces/{trace_id}/spans/{span_id}", { params: { path: { trace_id: trace, span_id: span } } })).data!
    : (await api.GET("/traces/{trace_id}", { params: { path: { trace_id: trace }, query: { limit: 1 } } })).data!.spans[0]!;
  const asked = found.model.startsWith("model/") ? found.model : model;
  const messages = readMessages(found.input, "user") ?? [];
  const origin = `trace ${trace.slice(0, 8)}`;
  const reference = readMessages(found.output, "assistant")?.at(-1)?.parts.map((part) => part.text).join("\n") ?? "";
  if (found.prompt) {
    const draft = await load(found.prompt, asked);
    const names = Object.keys(draft.variables);
    const main = names.includes("input") ? "input" : (names.find((name) => draft.variables[name]?.default == null) ?? "");
    const question = messages.at(-1)?.parts.map((part) => part.text).join("\n") ?? "";
    return { drafts: [draft], cases: [{ key: nextKey(), values: main ? { [main]: question } : {}, origin, reference }] };
  }
  const made: Draft = { ...emptyDraft(asked), messages: templateOf(messages) };
  return { drafts: [made.messages.length ? made : emptyDraft(asked)], cases: [{ ...emptyCase(), origin, reference }] };
}

import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { $api } from "../../api/client";
import type { Price } from "../../api/types";
import { Blank, Card, KeyValues, Time } from "../../kit/basics";
import { Field, FormDialog, Refused } from "../../kit/Dialog";
import { Filters, holds, Words } from "../../kit/filters";
import { count, money, NONE } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { List, Table, type Column } from "../../kit/list";
import { useOutcome } from "../../kit/outcome";
import { Page, Primary, Show } from "../../kit/page";
import { may, useWho } from "../../shell/session";

const RATES = [
  ["input_per_million", "Input"],
  ["output_per_million", "Output"],
  ["cached_per_million", "Cached input"],
  ["cache_write_per_million", "Cache write"],
  ["cache_write_1h_per_million", "Cache write, 1 h"],
  ["reasoning_per_million", "Reasoning"],
  ["per_request", "A request"],
  ["per_image", "An image"],
] as const;
const idOf = (price: Price) => `${price.provider}:${price.model}`;
/** A rate as a person set it: every digit, in dollars. */
const rate = (value: number | null | undefined): string => (value == null ? NONE : `$${value < 0.01 && value > 0 ? value : value.toFixed(Math.max(2, (String(value).split(".")[1] ?? "").length))}`);

const COLUMNS: Column<Price>[] = [
  { key: "model", label: "Model", width: "minmax(180px,2fr)", cell: (p) => <code>{p.model}</code> },
  { key: "provider", label: "Provider", width: "minmax(96px,1fr)", cell: (p) => p.provider || <span className="dim">any</span> },
  ...RATES.slice(0, 4).map(([name, label]): Column<Price> => ({ key: name, label, width: "100px", numeric: true, cell: (p) => <span className="num">{rate(p[name])}</span> })),
  { key: "tiers", label: "Tiers", width: "56px", numeric: true, cell: (p) => <span className="num">{p.tiers?.length || NONE}</span> },
  { key: "from", label: "Holds from", width: "96px", cell: (p) => <Time at={p.holds_from} /> },
  { key: "by", label: "Set by", width: "88px", cell: (p) => p.created_by },
];

/** What tokens cost now, or cost at another moment; every price that ever held is kept. */
export function PriceList() {
  const who = useWho();
  const [url, setUrl] = useUrl();
  const [setting, setSetting] = useState(false);
  const at = url.at ? `${url.at}T23:59:59Z` : undefined;
  const query = $api.useQuery("get", "/prices", { params: { query: { at } } });
  const items = query.data?.filter((price) => holds(url.q, price.model, price.provider));
  const writes = may(who.data, "price.write");
  return (
    <Page
      title="Prices"
      flush
      badge={<span className="dim">US dollars for a million tokens</span>}
      actions={<Primary may={writes} go={() => setSetting(true)}>Set a price</Primary>}
    >
      <Filters>
        <Words placeholder="Model or provider" />
        <label className="row">
          <span className="dim">As of</span>
          <input className="input" type="date" aria-label="As of the end of this day, UTC" value={url.at ?? ""} onChange={(event) => setUrl({ at: event.target.value || undefined }, true)} />
        </label>
      </Filters>
      <List
        label="Prices"
        noun="price"
        items={items}
        error={query.error}
        retry={query.refetch}
        columns={COLUMNS}
        id={idOf}
        selected={url.peek}
        select={(peek) => setUrl({ peek })}
        peekTitle={(price) => price.model}
        peek={(price) => <Detail key={idOf(price)} price={price} writes={writes} />}
        blank={
          <Blank
            icon="price"
            narrowed={Boolean(url.q || url.at) && "No price matches"}
            title="No prices yet"
            text="A price says what a model's tokens cost from a moment on. Calls that were billed keep their cost; a local model is free until it has one."
            code={`mainspring price set "small-*" \\\n  --input-per-million 0.15 --output-per-million 0.60`}
          />
        }
      />
      {setting && <SetPrice close={() => setSetting(false)} />}
    </Page>
  );
}

function Detail({ price, writes }: { price: Price; writes: boolean }) {
  const [setting, setSetting] = useState(false);
  return (
    <div className="stack">
      {writes && (
        <div className="row">
          <button type="button" className="btn" onClick={() => setSetting(true)}>
            Set another price
          </button>
        </div>
      )}
      <KeyValues
        items={[
          ["Provider", price.provider || "any"],
          ...RATES.map(([name, label]): [string, string] => [label, price[name] == null ? "as other tokens" : rate(price[name])]),
          ["Holds from", <Time key="f" at={price.holds_from} />],
          ["Set", <span key="s"><Time at={price.created_at} /> by {price.created_by}</span>],
        ]}
      />
      {!!price.tiers?.length && (
        <Table<NonNullable<Price["tiers"]>[number]>
          label="Tiers"
          items={price.tiers}
          id={(tier) => String(tier.above)}
          columns={[
            { key: "above", label: "Input over", numeric: true, cell: (tier) => count(tier.above) },
            { key: "in", label: "Input", numeric: true, cell: (tier) => rate(tier.input_per_million) },
            { key: "out", label: "Output", numeric: true, cell: (tier) => rate(tier.output_per_million) },
            { key: "cached", label: "Cached", numeric: true, cell: (tier) => rate(tier.cached_per_million) },
          ]}
        />
      )}
      <Estimate price={price} />
      <History model={price.model} />
      {setting && <SetPrice close={() => setSetting(false)} from={price} />}
    </div>
  );
}

function Estimate({ price }: { price: Price }) {
  const [tokens, setTokens] = useState({ input_tokens: "1000", output_tokens: "200", cached_tokens: "0" });
  const [asked] = useDebouncedValue(tokens, 200);
  const numbers = Object.fromEntries(Object.entries(asked).map(([name, text]) => [name, Math.max(0, Math.round(Number(text)) || 0)]));
  const query = $api.useQuery("get", "/prices/estimate", { params: { query: { model: price.model.replace(/\*$/, ""), provider: price.provider, ...numbers } } }, { retry: false });
  return (
    <Card title="What a call costs">
      <div className="pair">
        {(["input_tokens", "output_tokens", "cached_tokens"] as const).map((name) => (
          <Field key={name} label={{ input_tokens: "Input", output_tokens: "Output", cached_tokens: "Of input, cached" }[name]}>
            <input className="input num" inputMode="numeric" value={tokens[name]} onChange={(event) => setTokens({ ...tokens, [name]: event.target.value })} />
          </Field>
        ))}
        <div className="field" aria-live="polite">
          <span>Costs</span>
          <b className="estimate" title={query.data && `exactly $${query.data.exact}`}>{query.data ? money(query.data.cost) : NONE}</b>
        </div>
      </div>
      <Refused error={query.error} />
    </Card>
  );
}

function History({ model }: { model: string }) {
  const query = $api.useQuery("get", "/prices/history", { params: { query: { model, limit: 50 } } });
  return (
    <Card title="Every price it had" flush>
      <Show query={query} lines={3}>
        {(page) => (
          <Table<Price>
            label="History"
            items={page.items}
            id={(price) => `${price.provider}${price.holds_from}${price.created_at}`}
            columns={[
              { key: "from", label: "From", cell: (price) => <Time at={price.holds_from} /> },
              { key: "provider", label: "Provider", cell: (price) => price.provider || "any" },
              { key: "in", label: "Input", numeric: true, cell: (price) => rate(price.input_per_million) },
              { key: "out", label: "Output", numeric: true, cell: (price) => rate(price.output_per_million) },
              { key: "by", label: "Set by", cell: (price) => price.created_by },
            ]}
          />
        )}
      </Show>
    </Card>
  );
}

type Draft = Record<(typeof RATES)[number][0] | "model" | "provider" | "from", string>;

function SetPrice({ close, from }: { close: () => void; from?: Price }) {
  const outcome = useOutcome();
  const [draft, setDraft] = useState<Draft>(() => ({
    model: from?.model ?? "",
    provider: from?.provider ?? "",
    from: "",
    ...(Object.fromEntries(RATES.map(([name]) => [name, from?.[name] == null ? "" : String(from[name])])) as Omit<Draft, "model" | "provider" | "from">),
  }));
  const set = (more: Partial<Draft>) => setDraft({ ...draft, ...more });
  const save = $api.useMutation("post", "/prices", outcome((made: Price) => `${made.model} has another price.`, { done: close, quiet: true }));
  const number = (text: string) => (text.trim() === "" ? null : Number(text));
  const wrong = RATES.some(([name]) => Number.isNaN(number(draft[name]) ?? 0) || (number(draft[name]) ?? 0) < 0);
  const ready = /^[^\s*]+\*?$/.test(draft.model) && draft.input_per_million !== "" && draft.output_per_million !== "" && !wrong;
  return (
    <FormDialog
      title={from ? `Another price for ${from.model}` : "Set a price"}
      close={close}
      size={560}
      ready={ready && !save.isPending}
      label="Set"
      error={save.error}
      go={() => {
        save.mutate({
          body: {
            model: draft.model,
            provider: draft.provider,
            input_per_million: Number(draft.input_per_million),
            output_per_million: Number(draft.output_per_million),
            cached_per_million: number(draft.cached_per_million),
            cache_write_per_million: number(draft.cache_write_per_million),
            cache_write_1h_per_million: number(draft.cache_write_1h_per_million),
            reasoning_per_million: number(draft.reasoning_per_million),
            per_request: Number(draft.per_request),
            per_image: Number(draft.per_image),
            tiers: from?.tiers ?? [],
            holds_from: draft.from ? `${draft.from}T00:00:00Z` : null,
          },
        });
      }}
    >
      <div className="pair">
        <Field label="Model" note="A * at the end stands for any ending.">
          <input className="input mono" value={draft.model} data-autofocus disabled={from !== undefined} placeholder="small-*" onChange={(event) => set({ model: event.target.value })} />
        </Field>
        <Field label="Provider" note="Empty: any.">
          <input className="input" value={draft.provider} disabled={from !== undefined} onChange={(event) => set({ provider: event.target.value })} />
        </Field>
        <Field label="Holds from" note="Empty: now.">
          <input className="input" type="date" value={draft.from} onChange={(event) => set({ from: event.target.value })} />
        </Field>
      </div>
      <fieldset className="plain">
        <legend>US dollars: for a million tokens, and for each request and image</legend>
        <div className="pair">
          {RATES.map(([name, label]) => (
            <Field key={name} label={label}>
              <input className="input num" inputMode="decimal" value={draft[name]} placeholder={name.startsWith("per_") ? "0" : name === "input_per_million" || name === "output_per_million" ? "needed" : "as others"} onChange={(event) => set({ [name]: event.target.value })} />
            </Field>
          ))}
        </div>
      </fieldset>
      <p className="dim">Calls that are billed already keep their cost.{from?.tiers?.length ? " The tiers stay as they are." : ""}</p>
    </FormDialog>
  );
}

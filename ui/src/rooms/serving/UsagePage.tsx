import { Link } from "@tanstack/react-router";
import { $api } from "../../api/client";
import type { UsageRow } from "../../api/types";
import { Blank, KeyValues, Segments, Skeleton, Stats } from "../../kit/basics";
import { saveAs, toCsv } from "../../kit/csv";
import { Chip, Choose, Filters } from "../../kit/filters";
import { count, money, percent, short } from "../../kit/format";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { List, Table, type Column } from "../../kit/list";
import { Failure, Page } from "../../kit/page";
import { StackedBars } from "../../kit/stacked";
import { RefLink } from "../../shell/RefLink";
import { useKeyNames } from "../workspace/keys";
import { daysBetween, DIMENSIONS, layers, measured, MEASURES, sum, totals, type Dimension, type Measure, type Total } from "./usage";

const RANGES = [
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
];
/** Dimensions that the report can be narrowed by; a provider stands in the model's name. */
const NARROW: readonly Dimension[] = ["key", "member", "model", "deployment", "environment"];
const UNNAMED: Record<Dimension, string> = { model: "no model", key: "no key", member: "nobody", deployment: "asked directly", environment: "no environment", provider: "local models" };
const day = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", timeZone: "UTC" });
const said = (text: string) => day.format(new Date(`${text}T00:00:00Z`));
const format = (measure: Measure) => (value: number) => (measure === "cost" ? money(value) : short(Math.round(value)));

/** What calls used and what they cost, by day and by whom or what; the table below holds the same figures. */
export function UsagePage() {
  const [url, setUrl] = useUrl();
  const by = DIMENSIONS.find((one) => one === url.by) ?? "model";
  const measure = MEASURES.find((one) => one === url.measure) ?? "cost";
  const span = Number(RANGES.find((one) => one.value === url.days)?.value ?? 30);
  const today = new Date().toISOString().slice(0, 10);
  const first = new Date(Date.parse(today) - (span - 1) * 86_400_000).toISOString().slice(0, 10);
  const narrowed = Object.fromEntries(NARROW.flatMap((name) => (url[name] ? [[name, url[name]]] : [])));
  const query = $api.useQuery("get", "/usage", { params: { query: { by: `day,${by}`, since: `${first}T00:00:00Z`, ...narrowed } } }, { refetchInterval: 30_000 });
  const keyName = useKeyNames();
  const name = (value: string) => (value === "" ? UNNAMED[by] : by === "key" ? keyName(value) : value.replace(/^model\//, ""));
  const items = query.data && totals(query.data, by, measure);
  const whole = items && sum(items);
  const days = daysBetween(first, today);
  const narrowTo = (total: Total) => setUrl({ [by]: total.value, by: by === "model" ? "key" : "model", peek: undefined }, true);
  const canNarrow = (total: Total) => total.value !== "" && NARROW.includes(by);
  return (
    <Page
      title="Usage"
      flush
      actions={
        <button type="button" className="btn" disabled={!query.data?.length} onClick={() => saveAs(`usage-${first}-${today}-by-${by}.csv`, csv(query.data ?? [], by, name))}>
          <Icon name="download" size={14} /> CSV
        </button>
      }
    >
      <Filters>
        <Choose name="days" label="Time" choices={RANGES} fallback="30" />
        <Choose name="by" label="By" choices={DIMENSIONS.map((one) => ({ value: one, label: `by ${one}` }))} fallback="model" />
        <Segments value={measure} options={MEASURES} label="Measure" onChange={(next) => setUrl({ measure: next === "cost" ? undefined : next })} />
        {NARROW.map((one) => url[one] && <Chip key={one} name={one} label={one} value={one === "key" ? keyName(url[one]!) : url[one]!} />)}
      </Filters>
      {query.error && !items ? (
        <Failure error={query.error} retry={query.refetch} />
      ) : items?.length === 0 ? (
        <div className="page-body">
          <Blank
            icon="usage"
            title={Object.keys(narrowed).length ? "Nothing was used by these" : `Nothing was used in ${span} days`}
            text="Every call through the gateway is counted: who asked, for what, how many tokens, and what they cost by the prices of that moment."
            code={`mainspring price set "small-*" \\\n  --input-per-million 0.15 --output-per-million 0.60\nmainspring usage report --by day,member`}
            actions={<Link to="/quickstart" className="btn">Quick start</Link>}
          />
        </div>
      ) : (
        <>
          <div className="over">
            {items && whole ? (
              <>
                <Totals whole={whole} days={span} />
                <StackedBars label={`${measure} by day and ${by}`} bars={days} layers={layers(items, days, measure, name)} format={format(measure)} caption={said} height={168} />
              </>
            ) : (
              <div style={{ height: 270 }}>
                <Skeleton lines={8} />
              </div>
            )}
          </div>
          <List
            label={`Usage by ${by}`}
            noun={by}
            items={items}
            columns={columns(by, name, measure, whole ? measured(whole, measure) : 0)}
            id={(one) => one.value || "-"}
            open={NARROW.includes(by) ? (one) => canNarrow(one) && narrowTo(one) : undefined}
            selected={url.peek}
            select={(peek) => setUrl({ peek })}
            peekTitle={(one) => name(one.value)}
            peek={(one) => <Detail key={one.value} one={one} by={by} name={name(one.value)} narrow={canNarrow(one) ? () => narrowTo(one) : undefined} />}
            blank={null}
          />
        </>
      )}
    </Page>
  );
}

function Totals({ whole, days }: { whole: ReturnType<typeof sum>; days: number }) {
  const tokens = whole.input_tokens + whole.output_tokens;
  return (
    <div style={{ marginBottom: 12 }}>
      <Stats
        items={[
          { label: `Cost in ${days} days`, value: money(whole.nanodollars / 1e9), note: whole.unpriced ? `${short(whole.unpriced)} without a price` : undefined },
          { label: "Requests", value: short(whole.requests), note: whole.estimated ? `${short(whole.estimated)} estimated` : undefined },
          { label: "Tokens in", value: short(whole.input_tokens), note: whole.input_tokens ? `${percent(whole.cached_tokens / whole.input_tokens, 0)} cached` : undefined },
          { label: "Tokens out", value: short(whole.output_tokens) },
          { label: "Saved by the cache", value: money(whole.saved), note: whole.hits ? `${short(whole.hits)} hits` : undefined },
          { label: "For a million tokens", value: tokens ? money(whole.nanodollars / 1e3 / tokens) : "–" },
        ]}
      />
    </div>
  );
}

function columns(by: Dimension, name: (value: string) => string, measure: Measure, whole: number): Column<Total>[] {
  const number = (key: keyof Total & string, label: string, width: string): Column<Total> => ({ key, label, width, numeric: true, cell: (one) => <span className="num">{count(one[key] as number)}</span> });
  return [
    { key: "value", label: by[0]!.toUpperCase() + by.slice(1), width: "minmax(180px,2fr)", cell: (one) => <span className={one.value ? undefined : "dim"}>{name(one.value)}</span> },
    number("requests", "Requests", "88px"),
    number("input_tokens", "Tokens in", "104px"),
    number("cached_tokens", "Cached", "96px"),
    number("output_tokens", "Tokens out", "104px"),
    { key: "cost", label: "Cost", width: "88px", numeric: true, cell: (one) => <span className="num">{money(one.nanodollars / 1e9)}</span> },
    { key: "share", label: `Of ${measure}`, width: "88px", numeric: true, cell: (one) => <span className="num">{whole ? percent(measured(one, measure) / whole) : "–"}</span> },
    number("hits", "Cache hits", "80px"),
    number("unpriced", "No price", "80px"),
    number("estimated", "Estimated", "80px"),
  ];
}

function Detail({ one, by, name, narrow }: { one: Total; by: Dimension; name: string; narrow?: () => void }) {
  const traces = by === "deployment" || by === "environment" || by === "model";
  return (
    <div className="stack">
      <div className="row">
        {narrow && (
          <button type="button" className="btn" onClick={narrow}>
            <Icon name="filter" size={14} /> Only this {by}
          </button>
        )}
        {traces && one.value && (
          <Link className="btn" to="/traces" search={{ [by]: one.value } as never}>
            Traces
          </Link>
        )}
        {by === "key" && one.value && (
          <Link className="btn" to="/keys" search={{ peek: one.value } as never}>
            The key
          </Link>
        )}
      </div>
      <KeyValues
        items={[
          [by, by === "model" && one.value ? <RefLink key="n" value={one.value} /> : name],
          ["Cost", <span key="c" title={`${count(one.nanodollars)} billionths of a dollar`}>{money(one.nanodollars / 1e9)}</span>],
          ["For a request", one.requests ? money(one.nanodollars / 1e9 / one.requests) : "–"],
          ["From the cache", `${count(one.hits)} requests, which saved ${money(one.saved)}`],
          ["Without a price", count(one.unpriced)],
          ["Estimated", count(one.estimated)],
        ]}
      />
      <Table<UsageRow>
        label="By day"
        items={one.days.toReversed()}
        id={(row) => row.day}
        columns={[
          { key: "day", label: "Day, UTC", cell: (row) => row.day },
          { key: "requests", label: "Requests", numeric: true, cell: (row) => count(row.requests) },
          { key: "in", label: "Tokens in", numeric: true, cell: (row) => count(row.input_tokens) },
          { key: "out", label: "Tokens out", numeric: true, cell: (row) => count(row.output_tokens) },
          { key: "cost", label: "Cost", numeric: true, cell: (row) => money(row.cost) },
        ]}
      />
    </div>
  );
}

function csv(rows: UsageRow[], by: Dimension, name: (value: string) => string): string {
  const head = ["day", by, ...(by === "key" ? ["name"] : []), "requests", "estimated", "unpriced", "input_tokens", "output_tokens", "cached_tokens", "cache_hits", "cost_usd", "nanodollars", "saved_usd"];
  return toCsv(head, rows.map((row) => [row.day, row[by], ...(by === "key" ? [name(row.key)] : []), row.requests, row.estimated, row.unpriced, row.input_tokens, row.output_tokens, row.cached_tokens, row.hits, row.cost, row.nanodollars, row.saved]));
}

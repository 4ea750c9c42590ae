import { useState } from "react";
import { duration, stamp } from "../../kit/format";
import { Chip, Choose, Filters, Options, Search } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { NAMED, SINCE, tests } from "./filter";

const SLOW = ["100", "500", "1000", "5000", "30000"].map((value) => ({ value, label: `over ${duration(Number(value))}` }));

/** What the list of traces is narrowed by; all of it stands in the address. */
export function TraceFilters() {
  const [url, setUrl] = useUrl();
  const drop = (name: string, value?: string) => setUrl({ [name]: value || undefined, peek: undefined }, true);
  return (
    <Filters>
      <Search label="Search words" placeholder="Words in inputs and outputs" />
      <Choose name="status" label="Status" any="Any status" choices={["ok", "error", "running", "unfinished"]} />
      <select
        className="select"
        aria-label="Time"
        value={url.from || url.to ? "chosen" : (url.since ?? "")}
        onChange={(event) => setUrl({ since: event.target.value || undefined, from: undefined, to: undefined, peek: undefined }, true)}
      >
        <option value="">Any time</option>
        {(url.from || url.to) && <option value="chosen">chosen time</option>}
        {Object.entries(SINCE).map(([value, { label }]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <Choose name="min_duration_ms" label="Latency" any="Any latency" choices={SLOW} />
      <AddFilter />
      {(url.from || url.to) && (
        <Chip label="Time" value={`${said(url.from, "the start")} to ${said(url.to, "now")}`} drop={() => setUrl({ from: undefined, to: undefined, peek: undefined }, true)} />
      )}
      {Object.entries(NAMED).map(
        ([name, label]) =>
          name !== "attribute" && url[name] && <Chip key={name} label={label} value={url[name].replace(/^!/, "not ").replaceAll(",", ", ")} drop={() => drop(name)} />,
      )}
      {tests(url.attribute).map((test, at, all) => (
        <Chip key={test} label={`Attribute ${test}`} value={<code>{test}</code>} bare drop={() => drop("attribute", all.filter((_, other) => other !== at).join("\n"))} />
      ))}
    </Filters>
  );
}

function said(at: string | undefined, otherwise: string): string {
  const moment = new Date(at ?? "");
  return Number.isNaN(moment.getTime()) ? otherwise : stamp(moment);
}

/** Any other filter: what it is about, and its value. */
function AddFilter() {
  const [url, setUrl] = useUrl();
  const [name, setName] = useState("attribute");
  const [value, setValue] = useState("");
  return (
    <form
      className="row joined"
      onSubmit={(event) => {
        event.preventDefault();
        const given = value.trim();
        if (!given) return;
        const kept = name === "attribute" ? [...new Set([...tests(url.attribute), given])].join("\n") : given;
        setUrl({ [name]: kept, peek: undefined }, true);
        setValue("");
      }}
    >
      <select className="select" aria-label="Filter by" value={name} onChange={(event) => setName(event.target.value)}>
        <Options of={NAMED} />
      </select>
      <input
        className="input"
        aria-label="Value of the filter"
        placeholder={name === "attribute" ? "tier=gold, retries>=2, !error.type" : "value, or !value"}
        value={value}
        onChange={(event) => setValue(event.target.value)}
      />
      <button type="submit" className="btn icon" aria-label="Add the filter" disabled={!value.trim()}>
        <Icon name="filter" size={14} />
      </button>
    </form>
  );
}

import { useEffect, useState } from "react";
import { duration, stamp } from "../../kit/format";
import { Filters } from "../../kit/filters";
import { useUrl } from "../../kit/hooks";
import { Icon } from "../../kit/icons";
import { NAMED, SINCE, tests } from "./filter";

/** What the list of traces is narrowed by; all of it stands in the address. */
export function TraceFilters() {
  const [url, setUrl] = useUrl();
  const [words, setWords] = useState(url.query ?? "");
  useEffect(() => setWords(url.query ?? ""), [url.query]);
  const drop = (name: string, value?: string) => setUrl({ [name]: value || undefined, peek: undefined }, true);
  return (
    <Filters>
      <form
        className="searchbox"
        onSubmit={(event) => {
          event.preventDefault();
          setUrl({ query: words.trim() || undefined, peek: undefined }, true);
        }}
      >
        <Icon name="search" size={14} />
        <input
          className="input"
          type="search"
          placeholder="Words in inputs and outputs"
          aria-label="Search words"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
      </form>
      <select className="select" aria-label="Status" value={url.status ?? ""} onChange={(event) => drop("status", event.target.value)}>
        <option value="">Any status</option>
        {["ok", "error", "running", "unfinished"].map((status) => (
          <option key={status} value={status}>
            {status}
          </option>
        ))}
      </select>
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
      <select className="select" aria-label="Latency" value={url.min_duration_ms ?? ""} onChange={(event) => drop("min_duration_ms", event.target.value)}>
        <option value="">Any latency</option>
        {["100", "500", "1000", "5000", "30000"].map((ms) => (
          <option key={ms} value={ms}>
            over {duration(Number(ms))}
          </option>
        ))}
      </select>
      <AddFilter />
      {(url.from || url.to) && (
        <Chip label="Time" text={`${said(url.from, "the start")} to ${said(url.to, "now")}`} drop={() => setUrl({ from: undefined, to: undefined, peek: undefined }, true)} />
      )}
      {Object.entries(NAMED).map(
        ([name, label]) =>
          name !== "attribute" && url[name] && <Chip key={name} label={label} text={url[name].replace(/^!/, "not ").replaceAll(",", ", ")} drop={() => drop(name)} />,
      )}
      {tests(url.attribute).map((test, at, all) => (
        <Chip key={test} label={`Attribute ${test}`} text={test} bare drop={() => drop("attribute", all.filter((_, other) => other !== at).join("\n"))} />
      ))}
    </Filters>
  );
}

function said(at: string | undefined, otherwise: string): string {
  const moment = new Date(at ?? "");
  return Number.isNaN(moment.getTime()) ? otherwise : stamp(moment);
}

function Chip({ label, text, bare = false, drop }: { label: string; text: string; bare?: boolean; drop: () => void }) {
  return (
    <button type="button" className="btn" aria-label={`Remove the filter ${label}`} onClick={drop}>
      {bare ? <code>{text}</code> : `${label}: ${text}`} <Icon name="cross" size={12} />
    </button>
  );
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
        {Object.entries(NAMED).map(([key, label]) => (
          <option key={key} value={key}>
            {label}
          </option>
        ))}
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

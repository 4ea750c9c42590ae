import type { ReactNode } from "react";
import { Id, KeyValues } from "./basics";
import { figure, plural } from "./format";
import { RefLink } from "../shell/RefLink";

/** Any JSON object as names and values; references are links, and what is deeper folds away. */
export function Facts({ value }: { value: unknown }) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return <Fact value={value} />;
  const entries = Object.entries(value as Record<string, unknown>).filter(([, v]) => v !== "" && v != null && !(Array.isArray(v) && v.length === 0));
  if (entries.length === 0) return <span className="faint">none</span>;
  return <KeyValues items={entries.map(([key, v]): [string, ReactNode] => [key.replaceAll("_", " "), <Fact key={key} value={v} />])} />;
}

function Fact({ value }: { value: unknown }): ReactNode {
  if (typeof value === "number") return figure(value, 4);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") {
    if (/^(dataset|suite|model|prompt|release|deployment|experiment|run)\/\S+$/.test(value)) return <RefLink value={value} />;
    if (/^[0-9a-f]{64}$/.test(value)) return <Id value={value} length={12} />;
    return value.length > 400 ? <pre className="code" tabIndex={0}>{value}</pre> : value;
  }
  if (value == null) return <span className="faint">none</span>;
  if (Array.isArray(value) && value.length === 0) return <span className="faint">none</span>;
  if (Array.isArray(value) && value.length <= 8 && value.every((item) => typeof item === "string" || typeof item === "number"))
    return (
      <span className="row" style={{ flexWrap: "wrap" }}>
        {value.map((item) => (
          <span key={String(item)}>
            <Fact value={item} />
          </span>
        ))}
      </span>
    );
  const size = Array.isArray(value) ? plural(value.length, "item") : plural(Object.keys(value as object).length, "field");
  return (
    <details>
      <summary>{size}</summary>
      {Array.isArray(value) ? <pre className="code" tabIndex={0}>{JSON.stringify(value, null, 2)}</pre> : <Facts value={value} />}
    </details>
  );
}

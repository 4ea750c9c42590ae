import type { Monitor, MonitorKind } from "../../api/types";

/** One setting of a kind of monitor, read from its JSON schema. */
export interface Setting {
  name: string;
  label: string;
  about: string;
  type: "number" | "text" | "choice" | "choices" | "words";
  options: string[];
  required: boolean;
  optional: boolean;
  fallback: unknown;
}

interface Property {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: string[];
  items?: { type?: string; enum?: string[] };
  anyOf?: Property[];
}

export const SEVERITIES = ["info", "warning", "critical"] as const;
export const METRICS = ["requests", "errors", "error_rate", "guard_rate", "cut_rate", "loop_rate", "longest_output", "latency_p50", "latency_p95", "latency_p99", "ttft_p50", "ttft_p95", "input_tokens", "output_tokens", "cached_tokens", "cost", "score/"];

export const words = (name: string) => name.replaceAll("_", " ");

/** What an action sets going, in words. */
export const setsGoing = (one: Monitor["actions"][number]) =>
  one.do === "queue" ? `traces into ${one.queue}` : one.do === "rollback" ? "roll back" : `refresh of ${one.deployment}`;
export const lists = (text: string) => text.split(",").map((word) => word.trim()).filter(Boolean);

export function settingsOf(kind: MonitorKind | undefined): Setting[] {
  const schema = (kind?.settings ?? {}) as { properties?: Record<string, Property>; required?: string[] };
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const plain = property.anyOf?.find((one) => one.type !== "null") ?? property;
    const type =
      plain.type === "number" || plain.type === "integer" ? "number"
      : plain.enum ? "choice"
      : plain.type === "array" ? (plain.items?.enum ? "choices" : "words")
      : "text";
    return {
      name,
      label: `${name[0]!.toUpperCase()}${words(name).slice(1)}`,
      about: property.description?.replaceAll("\n", " ").replaceAll("`", "") ?? "",
      type,
      options: plain.enum ?? plain.items?.enum ?? [],
      required: schema.required?.includes(name) ?? false,
      optional: property.anyOf !== undefined,
      fallback: property.default,
    };
  });
}

/** What a form holds of settings: text for every one of them. */
export function drafted(settings: Setting[], given: Record<string, unknown> = {}): Record<string, string> {
  return Object.fromEntries(
    settings.map((one) => {
      const value = given[one.name] ?? one.fallback;
      return [one.name, value == null ? "" : Array.isArray(value) ? value.join(", ") : String(value)];
    }),
  );
}

/** The settings that a form means; undefined where one that is needed is missing or is no number. */
export function meant(settings: Setting[], draft: Record<string, string>): Record<string, unknown> | undefined {
  const found: Record<string, unknown> = {};
  for (const one of settings) {
    const text = (draft[one.name] ?? "").trim();
    if (one.type === "number") {
      if (text === "" && one.optional) found[one.name] = null;
      else if (text === "" && !one.required) continue;
      else if (text === "" || !Number.isFinite(Number(text))) return undefined;
      else found[one.name] = Number(text);
    } else if (one.type === "words" || one.type === "choices") found[one.name] = lists(text);
    else if (text === "" && one.required) return undefined;
    else found[one.name] = text;
  }
  return found;
}

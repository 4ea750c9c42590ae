import type { Release } from "../../api/types";

/** Generation parameters as they are typed: what is left empty is the caller's choice. */
export const PARAMETERS = [
  { key: "max_tokens", label: "Max tokens", least: 1, most: 131_072, whole: true },
  { key: "temperature", label: "Temperature", least: 0, most: 5 },
  { key: "top_p", label: "Top p", least: 0, most: 1 },
  { key: "seed", label: "Seed", least: 0, most: 4_294_967_295, whole: true },
  { key: "top_k", label: "Top k", least: 0, most: 100_000, whole: true },
  { key: "presence_penalty", label: "Presence penalty", least: -2, most: 2 },
  { key: "frequency_penalty", label: "Frequency penalty", least: -2, most: 2 },
] as const;

export type Typed = Partial<Record<(typeof PARAMETERS)[number]["key"], string>> & { stop?: string; constrained?: string };

/** What is wrong with a parameter as it is typed; empty where nothing is. */
export function wrongOf(parameter: (typeof PARAMETERS)[number], text: string | undefined): string {
  if (!text?.trim()) return "";
  const value = Number(text);
  const whole = "whole" in parameter;
  if (Number.isNaN(value) || (whole && !Number.isInteger(value))) return whole ? "A whole number." : "A number.";
  return value < parameter.least || value > parameter.most || (parameter.key === "top_p" && value === 0) ? `From ${parameter.least} to ${parameter.most}.` : "";
}

export function parametersOf(typed: Typed): Release["parameters"] {
  const numbers = PARAMETERS.flatMap(({ key }) => (typed[key]?.trim() ? [[key, Number(typed[key])]] : []));
  const stop = (typed.stop ?? "").split("\n").filter(Boolean);
  return {
    ...Object.fromEntries(numbers),
    ...(stop.length ? { stop } : {}),
    ...(typed.constrained ? { constrained: typed.constrained === "yes" } : {}),
  } as Release["parameters"];
}

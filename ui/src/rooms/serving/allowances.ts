import type { Budget, Limit } from "../../api/types";
import { count, money, short } from "../../kit/format";

/** A budget or a limit, as pages show both. */
export type Allowance = (Budget & { measure: "money" }) | Limit;

export const asBudget = (budget: Budget): Allowance => ({ ...budget, measure: "money" });

/** An amount of an allowance's measure, in words. */
export const words = (measure: Allowance["measure"], exact = false) => (value: number): string => {
  if (measure === "money") return money(value);
  return exact ? `${count(value)} ${measure}` : short(value);
};

export const UNITS: Record<Allowance["measure"], string> = { money: "US dollars", requests: "requests", tokens: "tokens" };
export const PERS = ["minute", "hour", "day", "month"] as const;
export type Per = (typeof PERS)[number];
export type Scope = Allowance["scope"];
export const SCOPES = ["project", "environment", "member", "key"] as const;

/** What is left for new calls: neither spent nor held. */
export const left = (one: Allowance): number => Math.max(0, one.amount - one.spent - one.held);

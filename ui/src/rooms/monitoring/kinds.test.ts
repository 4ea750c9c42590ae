import { expect, it } from "vitest";
import type { MonitorKind } from "../../api/types";
import { drafted, meant, settingsOf } from "./kinds";

const KIND = {
  name: "odd",
  summary: "",
  settings: {
    required: ["bound", "metric"],
    properties: {
      metric: { type: "string" },
      bound: { type: "number" },
      rule: { type: "string", enum: ["above", "below"], default: "above" },
      max_ms: { anyOf: [{ type: "number" }, { type: "null" }], default: null },
      actions: { type: "array", items: { type: "string", enum: ["log", "block"] }, default: ["block"] },
      min_calls: { type: "integer", default: 20 },
    },
  },
} as unknown as MonitorKind;

it("reads the settings of a kind from its schema, and what a form means by them", () => {
  const settings = settingsOf(KIND);
  expect(settings.map((one) => one.type)).toEqual(["text", "number", "choice", "number", "choices", "number"]);
  const draft = drafted(settings);
  expect(draft).toEqual({ metric: "", bound: "", rule: "above", max_ms: "", actions: "block", min_calls: "20" });
  expect(meant(settings, draft)).toBeUndefined();
  expect(meant(settings, { ...draft, metric: "cost", bound: "0.5", actions: "log, block" })).toEqual({
    metric: "cost", bound: 0.5, rule: "above", max_ms: null, actions: ["log", "block"], min_calls: 20,
  });
  expect(meant(settings, { ...draft, metric: "cost", bound: "much" })).toBeUndefined();
});

it("begins with what a monitor has", () => {
  expect(drafted(settingsOf(KIND), { bound: 3, max_ms: 80 })).toMatchObject({ bound: "3", max_ms: "80", rule: "above" });
});

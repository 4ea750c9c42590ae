import { expect, it } from "vitest";
import { match, pageOf } from "./match";

it.each([
  ["dataset/faq@3", "/datasets/faq?version=3"],
  ["model/base@production", "/models/base?version=production"],
  ["release/docs@2", "/releases/docs?version=2"],
  ["prompt/greet", "/prompts/greet"],
  ["judge/helpful@2", "/scorers/helpful?version=2"],
  ["run/01a20a3a-82a5-756f-ad6f-ed3ee19df559", "/runs/01a20a3a-82a5-756f-ad6f-ed3ee19df559"],
  ["dataset/faq@3#r1", "/datasets/faq?version=3"],
  ["suite/faq@2", "/suites/faq?version=2"],
  ["guard/usual@1", "/guards/usual?version=1"],
  ["nothing", undefined],
])("finds the page of %s", (ref, page) => expect(pageOf(ref)).toBe(page));

it("knows a trace and a run by their look", () => {
  expect(match(`  ${"0af7651916cd43dd8448eb211c80319c"} `)[0]).toMatchObject({ kind: "trace" });
  expect(match("01a20a3a-82a5-756f-ad6f-ed3ee19df559")[0]).toMatchObject({ kind: "run" });
  expect(match("hello")).toEqual([]);
});

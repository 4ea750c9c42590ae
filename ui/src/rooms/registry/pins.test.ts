import { expect, it } from "vitest";
import { PARAMETERS, parametersOf, wrongOf } from "./pins";

it("pins what is typed and leaves the rest to the caller", () => {
  expect(parametersOf({})).toEqual({});
  expect(parametersOf({ temperature: "0", max_tokens: " 256 ", seed: "", stop: "END\n\n###", constrained: "no" })).toEqual({
    temperature: 0,
    max_tokens: 256,
    stop: ["END", "###"],
    constrained: false,
  });
});

it("says what a parameter can be", () => {
  const of = (key: string) => PARAMETERS.find((one) => one.key === key)!;
  expect(wrongOf(of("max_tokens"), "2.5")).toBe("A whole number.");
  expect(wrongOf(of("temperature"), "warm")).toBe("A number.");
  expect(wrongOf(of("temperature"), "9")).toBe("From 0 to 5.");
  expect(wrongOf(of("top_p"), "0")).toBe("From 0 to 1.");
  expect(wrongOf(of("presence_penalty"), "-2")).toBe("");
  expect(wrongOf(of("seed"), " ")).toBe("");
});

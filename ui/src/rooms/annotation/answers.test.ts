import { describe, expect, it } from "vitest";
import type { Question } from "../../api/types";
import { choices, complete, nextOpen, sent } from "./answers";

const ask = (more: Partial<Question>): Question => ({ name: "q", kind: "thumbs", text: "", labels: [], ordered: false, low: 1, high: 5, tolerance: 1, required: true, ...more });

describe("answers by keys", () => {
  it("number keys choose thumbs, labels and the numbers of a short range", () => {
    expect(choices(ask({})).map((one) => one.value)).toEqual([1, 0]);
    expect(choices(ask({ kind: "label", labels: ["rude", "kind"] })).map((one) => one.label)).toEqual(["rude", "kind"]);
    expect(choices(ask({ kind: "number", low: 0, high: 3 })).map((one) => one.value)).toEqual([0, 1, 2, 3]);
    expect(choices(ask({ kind: "number", low: 0, high: 100 }))).toEqual([]);
    expect(choices(ask({ kind: "text" }))).toEqual([]);
  });

  it("goes from question to question, and knows when all that is asked for is there", () => {
    const questions = [ask({ name: "a" }), ask({ name: "b", required: false }), ask({ name: "c", kind: "label", labels: ["x", "y"] })];
    expect(nextOpen(questions, {})).toBe(0);
    expect(nextOpen(questions, { a: 0 })).toBe(2);
    expect(complete(questions, { a: 0 })).toBe(false);
    expect(complete(questions, { a: 0, c: "x" })).toBe(true);
    expect(sent({ a: 0, b: "" })).toEqual({ a: 0 });
  });
});

import { describe, expect, it } from "vitest";
import type { Row } from "../../api/types";
import { caseOf, literal, templateOf, typed } from "./state";

const row = (more: Partial<Row>) => ({ id: "r", messages: [], text: "", reference: null, label: null, group: "", split: "", meta: {}, ...more }) as Row;

describe("values of a row", () => {
  it("takes meta by name, and the question for what is left", () => {
    const found = caseOf(
      row({ messages: [{ role: "user", content: "Why?" }, { role: "assistant", content: "So." }], meta: { tone: "dry", tags: ["a"] } }),
      ["tone", "tags", "input"],
      "dataset/x@1#r",
    );
    expect(found.values).toEqual({ tone: "dry", tags: '["a"]', input: "Why?" });
    expect(found.reference).toBe("So.");
  });
});

describe("a span's text", () => {
  it("is shown as it is, whatever it holds", () => {
    expect(literal("{{x}} {% y %}")).toBe("\\{{x}} {% y %}");
    expect(literal("{% if x %}{{x}}{% endif %}")).toBe("\\{% if x %}\\{{x}}\\{% endif %}");
    expect(templateOf([{ role: "tool", parts: [{ kind: "text", text: "a" }] }])).toEqual([{ role: "user", content: "a" }]);
  });
});

describe("typed values", () => {
  it("leaves out what is empty, and names what does not fit", () => {
    const variables = { a: { type: "text" }, n: { type: "integer" }, l: { type: "list" } } as never;
    expect(typed({ a: "1", n: "2", l: "" }, variables)).toEqual({ a: "1", n: 2 });
    expect(() => typed({ l: "[" }, variables)).toThrow("value of l");
  });
});

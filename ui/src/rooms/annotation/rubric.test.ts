import { expect, it } from "vitest";
import { emptyQuestion, faults, questionOf } from "./rubric";

it("makes the question that was typed", () => {
  const tone = { ...emptyQuestion("tone"), kind: "label" as const, text: " How does it speak? ", labels: "rude\n\n plain\nkind\nkind", ordered: true };
  expect(questionOf(tone)).toMatchObject({ name: "tone", kind: "label", text: "How does it speak?", labels: ["rude", "plain", "kind"], ordered: true, required: true });
  expect(questionOf({ ...tone, kind: "number", low: "0", high: "10", tolerance: "2" })).toMatchObject({ labels: [], ordered: false, low: 0, high: 10, tolerance: 2 });
});

it("says what is wrong with a question, and whether it is whole", () => {
  const [one, two] = [emptyQuestion("tone"), emptyQuestion()];
  expect(faults(one, [one, two])).toEqual({ whole: true });
  expect(faults(two, [one, two])).toEqual({ whole: false });
  expect(faults({ ...two, name: "tone" }, [one]).name).toBe("Another question has this name.");
  expect(faults({ ...two, name: "Tone" }, [one]).name).toMatch("Small letters");
  expect(faults({ ...one, kind: "label", labels: "only" }, [one]).labels).toBe("Two or more, one a line.");
  expect(faults({ ...one, kind: "label" }, [one])).toEqual({ whole: false });
  expect(faults({ ...one, kind: "number", low: "5" }, [one]).high).toMatch("above the lowest");
  expect(faults({ ...one, kind: "number", high: "" }, [one]).high).toMatch("Numbers");
});

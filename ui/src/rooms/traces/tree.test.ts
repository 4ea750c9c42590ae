import { describe, expect, it } from "vitest";
import { layOut, spansOf, totals, type Node } from "./tree";

const span = (id: string, parent: string, start: number, end: number): Node => ({ span_id: id, parent_id: parent, start, end });
const shape = (rows: ReturnType<typeof layOut>) => rows.map((row) => `${".".repeat(row.depth)}${row.span.span_id}`);

describe("layOut", () => {
  const spans = [span("c", "a", 50, 90), span("a", "", 0, 100), span("b", "a", 10, 40), span("d", "c", 60, 70)];

  it("orders depth first, each level by its start", () => expect(shape(layOut(spans))).toEqual(["a", ".b", ".c", "..d"]));

  it("places bars as shares of the whole", () => {
    const row = layOut(spans).find((one) => one.span.span_id === "c")!;
    expect([row.left, row.width]).toEqual([0.5, 0.4]);
  });

  it("hides what is under a collapsed span", () => expect(shape(layOut(spans, new Set(["c"])))).toEqual(["a", ".b", ".c"]));

  it("makes an orphan a root", () => expect(shape(layOut([span("x", "gone", 0, 1), span("y", "x", 0, 1)]))).toEqual(["x", ".y"]));

  it("loses no span of a ring, and ends", () => {
    const ring = [span("a", "b", 0, 1), span("b", "a", 1, 2), span("self", "self", 3, 4)];
    expect(shape(layOut(ring))).toEqual(["self", "a", ".b"]);
  });

  it("lays out 50,000 spans, also as one deep chain", () => {
    const chain = Array.from({ length: 50_000 }, (_, index) => span(String(index), index ? String(index - 1) : "", index, index + 1));
    expect(layOut(chain)).toHaveLength(50_000);
  });
});

const outline = (kinds: string[], parents: number[], tokens: (number | null)[]) => ({
  span_id: kinds.map((_, at) => String(at)),
  parent: parents,
  name: kinds,
  kind: kinds,
  service: kinds.map(() => ""),
  start_ms: kinds.map((_, at) => at),
  duration_ms: kinds.map(() => 5),
  status: kinds.map((_, at) => (at === 0 ? ("error" as const) : ("ok" as const))),
  model: kinds.map(() => ""),
  input_tokens: tokens,
  output_tokens: tokens.map(() => null),
  cost: tokens,
  says: kinds.map(() => false),
});

it("takes the columns of an outline apart", () => {
  const [root, child] = spansOf(outline(["agent", "chat"], [-1, 0], [null, 3]));
  expect([root!.parent_id, child!.parent_id, child!.start, child!.end]).toEqual(["", "0", 1, 6]);
});

it("counts a call that client and gateway both report once, and no agent's sum beside it", () => {
  expect(totals(spansOf(outline(["agent", "chat", "chat", "chat"], [-1, 0, 1, 0], [99, 10, 10, 5])))).toEqual({ input: 15, output: 0, cost: 15, errors: 1 });
  expect(totals(spansOf(outline(["agent", "tool"], [-1, 0], [7, 1])))).toMatchObject({ input: 8 });
});

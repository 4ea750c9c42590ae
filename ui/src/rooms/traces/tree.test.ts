import { describe, expect, it } from "vitest";
import { layOut, timed, type Node } from "./tree";

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

it("keeps nanoseconds that a double would lose", () => {
  const raw = (id: string, start_ns: string) => ({ span_id: id, parent_id: "", start_ns, duration_ms: 0.001 });
  const [first, second] = timed([raw("a", "1795467600000000001"), raw("b", "1795467600000001001")]);
  expect(first!.start).toBe(0);
  expect(second!.start).toBeCloseTo(0.001, 9);
});

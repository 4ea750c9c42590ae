import { expect, it } from "vitest";
import { align } from "./align";
import type { SpanNode } from "./tree";

const span = (span_id: string, parent_id: string, name: string, start: number): SpanNode => ({
  span_id, parent_id, name, start, end: start + 1, kind: "span", service: "", status: "ok", model: "", input_tokens: null, output_tokens: null, cost: null, says: false,
});

it("pairs spans by their place, and keeps what only one trace has where it stood", () => {
  const left = [span("1", "", "agent", 0), span("2", "1", "chat", 1), span("3", "1", "tool", 2), span("4", "1", "chat", 3)];
  const right = [span("a", "", "agent", 0), span("b", "1", "chat", 1), span("c", "a", "chat", 1), span("d", "a", "search", 2), span("e", "d", "get", 2)];
  right[1]!.parent_id = "a";
  const pairs = align(left, right).map((pair) => `${".".repeat(pair.depth)}${pair.name} ${pair.left?.span_id ?? "-"}${pair.right?.span_id ?? "-"}`);
  expect(pairs).toEqual(["agent 1a", ".chat 2b", ".tool 3-", ".chat 4c", ".search -d", "..get -e"]);
});

it("bears two traces that have nothing in common", () => {
  expect(align([], [span("a", "", "x", 0)]).map((pair) => pair.right?.span_id)).toEqual(["a"]);
  expect(align([span("a", "", "x", 0)], [])[0]!.right).toBeUndefined();
});

import { expect, it } from "vitest";
import { pretty, readMessages } from "./messages";

it("reads OpenTelemetry parts", () => {
  const value = [{ role: "user", parts: [{ type: "text", content: "Hi" }, { type: "tool_call", name: "find", arguments: { q: 1 } }] }];
  expect(readMessages(value, "user")).toEqual([
    { role: "user", parts: [{ kind: "text", text: "Hi" }, { kind: "tool_call", name: "find", text: '{\n  "q": 1\n}' }] },
  ]);
});

it("reads OpenAI messages with content parts and tool calls", () => {
  const value = [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "Look" }, { type: "image_url", image_url: { url: "x" } }] },
    { role: "assistant", content: null, tool_calls: [{ id: "1", function: { name: "find", arguments: "{}" } }] },
  ];
  const read = readMessages(value, "user")!;
  expect(read.map((message) => message.parts.map((part) => part.kind))).toEqual([["text"], ["text", "other"], ["tool_call"]]);
});

it("takes plain text as a message of the given role", () => {
  expect(readMessages("4", "assistant")).toEqual([{ role: "assistant", parts: [{ kind: "text", text: "4" }] }]);
});

it.each([[null], [{ a: 1 }], [[{ a: 1 }]], [42], [[]]])("leaves %j to be shown as JSON", (value) => expect(readMessages(value, "user")).toBeUndefined());

it("opens up text that is JSON, and no other text", () => {
  expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(pretty("{not json")).toBe("{not json");
  expect(pretty(undefined)).toBe("");
});

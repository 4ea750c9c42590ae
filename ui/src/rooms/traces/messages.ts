/** What went into a model and came out of it, read from the forms in which it arrives. */
export interface Part {
  kind: "text" | "tool_call" | "tool_result" | "other";
  text: string;
  /** A tool's name, or the part's own type. */
  name?: string;
}

export interface Message {
  role: string;
  parts: Part[];
}

type Json = Record<string, unknown>;

/** Messages where the value is a list of them (or one), else undefined; then it is shown as JSON. */
export function readMessages(value: unknown, role: string): Message[] | undefined {
  if (value == null) return undefined;
  if (typeof value === "string") return [{ role, parts: [{ kind: "text", text: value }] }];
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) return undefined;
  const read = list.map((item) => readMessage(item, role));
  return read.every((message) => message !== undefined) ? read : undefined;
}

function readMessage(item: unknown, role: string): Message | undefined {
  if (typeof item === "string") return { role, parts: [{ kind: "text", text: item }] };
  if (item === null || typeof item !== "object") return undefined;
  const message = item as Json;
  if (Array.isArray(message.parts)) return { role: String(message.role ?? role), parts: message.parts.map(readPart) };
  if (!("content" in message) && !Array.isArray(message.tool_calls)) return undefined;
  const content = message.content;
  const parts: Part[] =
    typeof content === "string" ? (content ? [{ kind: "text", text: content }] : [])
    : Array.isArray(content) ? content.map(readPart)
    : content == null ? []
    : [{ kind: "other", text: pretty(content) }];
  const calls = Array.isArray(message.tool_calls) ? (message.tool_calls as Json[]) : [];
  return { role: String(message.role ?? role), parts: [...parts, ...calls.map(readCall)] };
}

function readPart(item: unknown): Part {
  if (typeof item === "string") return { kind: "text", text: item };
  const part = (item ?? {}) as Json;
  const text = part.content ?? part.text;
  if ((part.type === "text" || part.type === undefined || part.type === "reasoning") && typeof text === "string") return { kind: "text", text };
  if (part.type === "tool_call") return { kind: "tool_call", name: String(part.name ?? "tool"), text: pretty(part.arguments) };
  if (part.type === "tool_call_response") return { kind: "tool_result", name: String(part.id ?? ""), text: pretty(part.response ?? part.result) };
  return { kind: "other", name: String(part.type ?? ""), text: pretty(item) };
}

function readCall(call: Json): Part {
  const made = (call.function ?? call) as Json;
  return { kind: "tool_call", name: String(made.name ?? "tool"), text: pretty(made.arguments) };
}

/** JSON with indents; text that is itself JSON is opened up. */
export function pretty(value: unknown): string {
  if (typeof value !== "string") return value === undefined ? "" : JSON.stringify(value, null, 2);
  const trimmed = value.trim();
  if (!/^[[{]/.test(trimmed)) return value;
  try {
    return JSON.stringify(JSON.parse(trimmed), null, 2);
  } catch {
    return value;
  }
}

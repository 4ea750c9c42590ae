/** What the playground holds: variants (prompt, model, parameters), cases (values) and the answer where they meet. */
import type { PromptMessage, PromptVariable, PromptVersion, Row } from "../../api/types";
import type { Message } from "../traces/messages";

export interface Draft {
  key: number;
  /** The version that it began as, with its name; empty for one that was written here. */
  ref: string;
  /** Whether it still is that version. */
  same: boolean;
  kind: "chat" | "text";
  messages: PromptMessage[];
  /** Every variable that the messages use, declared or not. */
  variables: Record<string, PromptVariable>;
  /** Those of the version that it began as. */
  declared: Record<string, PromptVariable>;
  tools: PromptVersion["tools"];
  schema: PromptVersion["response_schema"];
  held: boolean;
  /** Of the version that it began as; the fields below win. */
  parameters: PromptVersion["parameters"];
  model: string;
  temperature: string;
  maxTokens: string;
  seed: string;
}

export interface Case {
  key: number;
  /** As they are typed; what is empty is not given. */
  values: Record<string, string>;
  /** Where it came from, such as a row of a dataset. */
  origin: string;
  /** What a good answer is compared with. */
  reference: string;
}

export interface Answer {
  state: "running" | "done" | "failed";
  text: string;
  error?: string;
  sent: PromptMessage[];
  traceId?: string;
  ttft?: number;
  latency?: number;
  input?: number;
  output?: number;
  cost?: number;
}

let last = 0;
export const nextKey = () => ++last;

export function emptyDraft(model: string): Draft {
  return {
    key: nextKey(),
    ref: "",
    same: false,
    kind: "chat",
    messages: [
      { role: "system", content: "" },
      { role: "user", content: "{{input}}" },
    ],
    variables: {},
    declared: {},
    tools: [],
    schema: null,
    held: false,
    parameters: { stop: [] },
    model,
    temperature: "0",
    maxTokens: "256",
    seed: "",
  };
}

export function draftOf(prompt: PromptVersion, model: string): Draft {
  const { temperature, max_tokens, seed } = prompt.parameters;
  return {
    ...emptyDraft(model),
    ref: prompt.ref,
    same: true,
    kind: prompt.kind ?? "chat",
    messages: prompt.messages,
    variables: prompt.variables,
    declared: prompt.variables,
    tools: prompt.tools,
    schema: prompt.response_schema,
    parameters: prompt.parameters,
    temperature: String(temperature ?? 0),
    maxTokens: String(max_tokens ?? 256),
    seed: seed == null ? "" : String(seed),
  };
}

/** The messages of a span as a template that renders to them. */
export function templateOf(messages: Message[]): PromptMessage[] {
  return messages.map((message) => {
    const text = message.parts.map((part) => part.text).join("\n");
    const role = message.role === "system" || message.role === "assistant" ? message.role : "user";
    return { role, content: literal(text) };
  });
}

const TAG = /{%[ \t]{0,20}(?:if|elif|else|endif|for|endfor|include)\b/;

/** Write a text so that a template shows it as it is. */
export function literal(text: string): string {
  const escaped = text.replaceAll("{{", "\\{{");
  return TAG.test(text) ? escaped.replaceAll("{%", "\\{%") : escaped;
}

/** The values that a dataset row gives the variables: its meta by name, and its question for the one that is left. */
export function caseOf(row: Row, variables: string[], origin: string): Case {
  const question = row.messages?.filter((message) => message.role === "user").at(-1)?.content ?? row.text ?? "";
  const values: Record<string, string> = {};
  for (const name of variables) {
    const held = row.meta?.[name];
    if (held != null) values[name] = typeof held === "string" ? held : JSON.stringify(held);
  }
  const open = variables.filter((name) => !(name in values));
  const main = open.includes("input") ? "input" : open[0];
  if (main) values[main] = question;
  const answer = row.messages?.at(-1)?.role === "assistant" ? row.messages.at(-1)!.content : "";
  const reference = row.reference ?? answer;
  return { key: nextKey(), values, origin, reference: typeof reference === "string" ? reference : JSON.stringify(reference) };
}

/** Typed values as the variables' types ask for them. Throws with the variable's name where one does not fit. */
export function typed(values: Record<string, string>, variables: Record<string, PromptVariable>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(variables)) {
    const text = values[name] ?? "";
    if (text === "") continue;
    found[name] = variable.type === "text" || variable.type === undefined ? text : parsed(name, text);
  }
  return found;
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The value of ${name} is not valid JSON.`);
  }
}

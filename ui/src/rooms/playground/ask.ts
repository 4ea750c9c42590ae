/** Asking: a variant filled in by the server, and its answer as it streams through the gateway. */
import { api, session, toError } from "../../api/client";
import type { PromptMessage } from "../../api/types";
import type { Answer, Draft } from "./state";

/** What `commit`, `check` and `preview` take of a draft. */
export function bodyOf(draft: Draft) {
  const said = draft.kind === "text" ? { text: draft.messages[0]?.content ?? "" } : { text: "", messages: draft.messages };
  return { ...said, tools: draft.tools?.length ? draft.tools : undefined, schema: draft.schema ?? undefined };
}

export function parametersOf(draft: Draft) {
  const number = (text: string) => (text.trim() === "" || Number.isNaN(Number(text)) ? undefined : Number(text));
  return { ...draft.parameters, temperature: number(draft.temperature), max_tokens: number(draft.maxTokens), seed: number(draft.seed) };
}

/** Whether a release answers, by itself or in a deployment: it brings a prompt, a guard and parameters of its own. */
export function released(draft: Draft): boolean {
  return /^(release|deployment)\//.test(draft.model);
}

/** What is sent: to a release the conversation alone, since system messages and parameters are its own. */
function saying(draft: Draft, sent: PromptMessage[], values: Record<string, unknown>) {
  if (released(draft)) return { messages: sent.filter((message) => message.role !== "system") };
  return { ...options(draft), ...(draft.same ? { prompt: draft.ref, variables: values } : { messages: sent }) };
}

/** Fill the variant in, ask its model and tell the answer as it grows; the last one told is whole, or says why not. */
export async function ask(draft: Draft, values: Record<string, unknown>, signal: AbortSignal, tell: (answer: Answer) => void): Promise<void> {
  let answer: Answer = { state: "running", text: "", sent: [] };
  const grow = (more: Partial<Answer>) => tell((answer = { ...answer, ...more }));
  grow({});
  const began = performance.now();
  try {
    const { data } = await api.POST("/prompts/preview", { body: { ...bodyOf(draft), variables: used(draft), values }, signal });
    const sent: PromptMessage[] = data?.messages ?? [];
    grow({ sent });
    const reply = await fetch("/v1/chat/completions", {
      method: "POST",
      credentials: "same-origin",
      headers: { "content-type": "application/json", "x-mainspring-source": "playground" },
      body: JSON.stringify({ model: draft.model, stream: true, stream_options: { include_usage: true }, ...saying(draft, sent, values) }),
      signal,
    });
    if (reply.status === 401) session.ended();
    if (!reply.ok || !reply.body) throw await toError(reply);
    grow({ traceId: reply.headers.get("x-mainspring-trace-id") ?? undefined });
    for await (const event of events(reply.body)) {
      if (event.error) throw new Error(event.error.message);
      const delta = event.choices?.[0]?.delta;
      const calls = delta?.tool_calls?.map((call) => `${call.function?.name ?? ""}(${call.function?.arguments ?? ""})`).join("\n") ?? "";
      const text = (delta?.content ?? "") + calls;
      if (text) grow({ text: answer.text + text, ttft: answer.ttft ?? performance.now() - began });
      if (event.usage) grow({ input: event.usage.prompt_tokens, output: event.usage.completion_tokens, cost: event.usage.cost });
    }
    grow({ state: "done", latency: performance.now() - began });
  } catch (error) {
    grow({ state: "failed", error: signal.aborted ? "Stopped." : (error as Error).message, latency: performance.now() - began });
  }
}

/** The declarations of variables that the template still speaks of. */
export function used(draft: Draft) {
  return Object.fromEntries(Object.entries(draft.variables).filter(([name]) => draft.messages.some((message) => message.content.includes(name) || /{%\s*include/.test(message.content))));
}

function options(draft: Draft) {
  const given = Object.entries(parametersOf(draft)).filter(([, value]) => value != null && !(Array.isArray(value) && value.length === 0));
  return {
    ...Object.fromEntries(given),
    ...(draft.held && draft.schema ? { response_format: { type: "json_schema", json_schema: { name: "answer", schema: draft.schema } } } : {}),
    ...(!draft.same && draft.tools?.length ? { tools: draft.tools } : {}),
  };
}

interface StreamEvent {
  error?: { message: string };
  choices?: { delta?: { content?: string | null; tool_calls?: { function?: { name?: string; arguments?: string } }[] } }[];
  usage?: { prompt_tokens: number; completion_tokens: number; cost?: number };
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith("data: ") && line !== "data: [DONE]") yield JSON.parse(line.slice(6)) as StreamEvent;
    }
  } finally {
    await reader.cancel();
  }
}

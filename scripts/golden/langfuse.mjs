// A program that Langfuse's client watches: `node langfuse.mjs URL`, in a folder with the packages installed.
import { observeOpenAI } from "@langfuse/openai";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { propagateAttributes, startActiveObservation, startObservation } from "@langfuse/tracing";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import OpenAI from "openai";

const url = process.argv[2];
const keys = { publicKey: "pk", secretKey: "sk", baseUrl: url };
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "golden" }),
  spanProcessors: [new LangfuseSpanProcessor({ ...keys, environment: "staging", release: "r-7" })],
});
provider.register();
const client = observeOpenAI(new OpenAI({ apiKey: "k", baseURL: `${url}/v1`, maxRetries: 0 }));
const asked = [
  { role: "system", content: "Be short." },
  { role: "user", content: "How is the weather in Bern?" },
];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", function: { name: "weather", description: "Tell it.", parameters } }];

async function calls() {
  const model = "gpt-canned";
  await client.chat.completions.create({ model, messages: asked, temperature: 0.5, max_tokens: 50 });
  await client.chat.completions.create({ model, messages: asked, tools });
  const options = { include_usage: true };
  const stream = await client.chat.completions.create({ model, messages: asked, stream: true, stream_options: options });
  for await (const _ of stream);
  await client.chat.completions.create({ model: "broken", messages: asked }).catch(() => {});
  await client.embeddings.create({ model: "embed-canned", input: ["weather"] });
  await client.responses.create({ model, input: "How is the weather in Bern?", instructions: "Be short." });
}

function observations() {
  const metadata = { index: "geo", hits: 2, cached: true, by: { k: 5 } };
  startObservation("look-up", { input: "Bern", output: ["doc-1", "doc-2"], metadata }, { asType: "retriever" }).end();
  const late = { input: { city: "Bern" }, output: { sky: "clear" }, level: "WARNING", statusMessage: "old data" };
  startObservation("weather", late, { asType: "tool" }).end();
  startObservation("shown", { input: { to: "user-1" }, metadata: { place: "chat" } }, { asType: "event" });
  const used = { input: 12, input_cached_tokens: 4, output: 6, output_reasoning_tokens: 2, total: 24 };
  const written = { model: "hand-1", modelParameters: { temperature: 0.2 }, input: asked, version: "v2" };
  const answer = { output: { role: "assistant", content: "Clear sky." }, completionStartTime: new Date(Date.now() + 1) };
  const spent = { usageDetails: used, costDetails: { input: 0.001, output: 0.002 } };
  startObservation("write", { ...written, ...answer, ...spent }, { asType: "generation" }).end();
  const rude = { output: { passed: false }, level: "ERROR", statusMessage: "it is not polite" };
  startObservation("check", rude, { asType: "guardrail" }).end();
  return startActiveObservation("send", async (span) => {
    span.update({ input: { to: "user-1" } });
    throw new Error("the mail bounced");
  }).catch(() => {});
}

const about = { sessionId: "session-1", userId: "user-1", tags: ["golden"], traceName: "forecast" };
await propagateAttributes({ ...about, metadata: { plan: "free", seats: "3" } }, () =>
  startActiveObservation(
    "report",
    async (span) => {
      span.update({ input: { city: "Bern" } });
      await calls();
      await observations();
      span.update({ output: "done" });
    },
    { asType: "agent" },
  ),
);
await provider.forceFlush();
await provider.shutdown();

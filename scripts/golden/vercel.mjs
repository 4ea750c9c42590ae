// A program that the Vercel AI SDK's telemetry watches: `node vercel.mjs URL`, in a folder with the packages installed.
import { createOpenAI } from "@ai-sdk/openai";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import * as ai from "ai";
import { z } from "zod";

const url = process.argv[2];
const exporter = new OTLPTraceExporter({ url: `${url}/v1/traces` });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "golden" }),
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});
provider.register();
if (ai.registerTelemetry) {
  const { OpenTelemetry } = await import("@ai-sdk/otel");
  ai.registerTelemetry(new OpenTelemetry());
}
const openai = createOpenAI({ apiKey: "k", baseURL: `${url}/v1` });
const telemetry = { isEnabled: true, functionId: "report", metadata: { sessionId: "session-1", userId: "user-1" } };
const about = { experimental_telemetry: telemetry, telemetry, maxRetries: 0 };
const asked = { system: "Be short.", instructions: "Be short.", prompt: "How is the weather in Bern?" };
const model = openai.chat("gpt-canned");

await ai.generateText({ model, ...asked, ...about, temperature: 0.5 });
const weather = ai.tool({
  description: "Tell it.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `fine in ${city}`,
});
await ai.generateText({ model, ...asked, ...about, tools: { weather } });
const stream = ai.streamText({ model, ...asked, ...about });
for await (const _ of stream.textStream);
try {
  await ai.generateText({ model: openai.chat("broken"), ...asked, ...about });
} catch {
  // The failing span is what is wanted.
}
await ai.embed({ model: openai.textEmbeddingModel("embed-canned"), value: "weather", ...about });
await provider.forceFlush();
await provider.shutdown();

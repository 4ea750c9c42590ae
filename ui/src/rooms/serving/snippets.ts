/** The programs of the quick start: complete, for one server, key and model. */
export interface Asked {
  origin: string;
  key: string;
  model: string;
}

export const CLIENTS = ["curl", "Python", "JavaScript", "Anthropic", "Traces"] as const;
export type Client = (typeof CLIENTS)[number];

/** What has to be installed before, or an empty text. */
export const INSTALL: Record<Client, string> = {
  curl: "",
  Python: "pip install openai",
  JavaScript: "npm install openai",
  Anthropic: "pip install anthropic",
  Traces: "pip install opentelemetry-distro opentelemetry-exporter-otlp-proto-http",
};

/** The environment of a client; no program needs the key in its source. */
export function environment(client: Client, { origin, key }: Asked): string {
  if (client === "Anthropic") return `export ANTHROPIC_BASE_URL=${origin}\nexport ANTHROPIC_API_KEY=${key}`;
  if (client === "Traces") return `export OTEL_EXPORTER_OTLP_ENDPOINT=${origin}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20${key}"`;
  return `export OPENAI_BASE_URL=${origin}/v1\nexport OPENAI_API_KEY=${key}`;
}

/** One call as a shell sends it, with a place for the key. */
export function call(model: string): string {
  return `curl ${location.origin}/v1/chat/completions \\
  -H "Authorization: Bearer ms_…" -H "Content-Type: application/json" \\
  -d '{"model": ${JSON.stringify(model)}, "messages": [{"role": "user", "content": "Hello"}]}'`;
}

/** The program itself. */
export function program(client: Client, { model }: Asked): string {
  const name = JSON.stringify(model);
  switch (client) {
    case "curl":
      return `curl "$OPENAI_BASE_URL/chat/completions" \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": ${name}, "messages": [{"role": "user", "content": "Hello"}]}'`;
    case "Python":
      return `from openai import OpenAI

client = OpenAI()
answer = client.chat.completions.create(
    model=${name},
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`;
    case "JavaScript":
      return `import OpenAI from "openai";

const client = new OpenAI();
const answer = await client.chat.completions.create({
  model: ${name},
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);`;
    case "Anthropic":
      return `from anthropic import Anthropic

client = Anthropic()
answer = client.messages.create(
    model=${name},
    max_tokens=256,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content[0].text)`;
    case "Traces":
      return `opentelemetry-instrument python your_program.py   # or any program that exports OpenTelemetry`;
  }
}

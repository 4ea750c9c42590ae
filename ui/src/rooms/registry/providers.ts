import type { Provider } from "../../api/types";

export interface Preset {
  label: string;
  kind: Provider["kind"];
  url: string;
  name: string;
  keyed: boolean;
}

/** Where servers of models usually listen; only a start, for the address is the reader's own. */
export const PRESETS: Preset[] = [
  { label: "OpenAI", kind: "openai", url: "https://api.openai.com/v1", name: "openai", keyed: true },
  { label: "Anthropic", kind: "anthropic", url: "https://api.anthropic.com", name: "anthropic", keyed: true },
  { label: "vLLM", kind: "openai", url: "http://127.0.0.1:8000/v1", name: "vllm", keyed: false },
  { label: "SGLang", kind: "openai", url: "http://127.0.0.1:30000/v1", name: "sglang", keyed: false },
  { label: "Ollama", kind: "openai", url: "http://127.0.0.1:11434/v1", name: "ollama", keyed: false },
];

export const PATIENCE = [
  ["connect_seconds", "Connect"],
  ["first_token_seconds", "First token"],
  ["between_seconds", "Between tokens"],
  ["total_seconds", "Whole answer"],
] as const;

/** The host that a key is bound to, as a URL names it; empty where it is none. */
export function placeOf(url: string): string {
  try {
    const { protocol, host } = new URL(url);
    return `${protocol}//${host}`;
  } catch {
    return "";
  }
}

import type { IconName } from "../kit/icons";

const KINDS: Record<string, [string, IconName]> = {
  dataset: ["/datasets", "data"],
  model: ["/models", "model"],
  prompt: ["/prompts", "prompt"],
  judge: ["/scorers", "check"],
  release: ["/releases", "release"],
  deployment: ["/deployments", "deploy"],
  suite: ["/suites", "suite"],
  experiment: ["/experiments", "experiment"],
  guard: ["/guards", "guard"],
  run: ["/runs", "run"],
  trace: ["/traces", "traces"],
};

/** The page of a reference such as `dataset/faq@3` or `trace/0af7…`, or undefined where it has none. */
export function pageOf(ref: string): string | undefined {
  const [, kind, name, selector] = /^([a-z]+)\/([^@#]+)(?:@([^#]+))?/.exec(ref) ?? [];
  const page = kind && KINDS[kind];
  if (!page || !name) return undefined;
  const path = `${page[0]}/${encodeURIComponent(name)}`;
  return selector && kind !== "run" && kind !== "trace" ? `${path}?version=${encodeURIComponent(selector)}` : path;
}

/** What a pasted identifier or reference stands for. */
export function match(text: string): { label: string; kind: string; icon: IconName; to: string }[] {
  const value = text.trim();
  if (/^[0-9a-f]{32}$/.test(value)) return [{ label: value, kind: "trace", icon: "traces", to: `/traces/${value}` }];
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(value))
    return [{ label: value, kind: "run", icon: "run", to: `/runs/${value}` }];
  const page = pageOf(value);
  const kind = value.split("/")[0]!;
  return page ? [{ label: value, kind, icon: KINDS[kind]![1], to: page }] : [];
}

/** The rules of what is captured, as a form holds them. */
import type { Capture, MaskRule, SampleRule } from "../../api/types";

export interface SampleDraft {
  rate: string;
  environment: string;
  service: string;
  kind: string;
}

export interface MaskDraft {
  fields: string;
  action: MaskRule["action"] & string;
  detectors: { pii: boolean; secrets: boolean };
  kinds: string;
  terms: string;
}

export interface Draft {
  sample: SampleDraft[];
  keep_errors: boolean;
  keep_slower_ms: string;
  mask: MaskDraft[];
}

const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);
const lines = (text: string) => text.split("\n").map((line) => line.trim()).filter(Boolean);

export const emptySample = (): SampleDraft => ({ rate: "100", environment: "", service: "", kind: "" });
export const emptyMask = (): MaskDraft => ({ fields: "input, output", action: "mask", detectors: { pii: true, secrets: true }, kinds: "", terms: "" });

export function draftOf(rules: Capture): Draft {
  return {
    sample: (rules.sample ?? []).map((rule) => ({ rate: String(Number((rule.rate * 100).toFixed(6))), environment: rule.environment ?? "", service: rule.service ?? "", kind: rule.kind ?? "" })),
    keep_errors: rules.keep_errors ?? true,
    keep_slower_ms: rules.keep_slower_ms == null ? "" : String(rules.keep_slower_ms),
    mask: (rules.mask ?? []).map((rule) => ({
      fields: rule.fields.join(", "),
      action: rule.action ?? "mask",
      detectors: { pii: (rule.detectors ?? []).includes("pii"), secrets: (rule.detectors ?? []).includes("secrets") },
      kinds: (rule.kinds ?? []).join(", "),
      terms: (rule.terms ?? []).join("\n"),
    })),
  };
}

/** The rules of a draft, or what is wrong with it. */
export function rulesOf(draft: Draft): { rules: { sample: SampleRule[]; keep_errors: boolean; keep_slower_ms: number | null; mask: MaskRule[] } } | { wrong: string } {
  const sample: SampleRule[] = [];
  for (const [at, rule] of draft.sample.entries()) {
    const rate = Number(rule.rate) / 100;
    if (rule.rate.trim() === "" || !(rate >= 0 && rate <= 1)) return { wrong: `The share of sample rule ${at + 1} is not from 0 to 100.` };
    sample.push({ rate, environment: rule.environment.trim(), service: rule.service.trim(), kind: rule.kind.trim() });
  }
  const slower = draft.keep_slower_ms.trim() === "" ? null : Number(draft.keep_slower_ms);
  if (slower !== null && !(slower >= 0)) return { wrong: "The time of slow traces is not a number of milliseconds." };
  const mask: MaskRule[] = [];
  for (const [at, rule] of draft.mask.entries()) {
    const terms = lines(rule.terms);
    const detectors = [...(rule.detectors.pii ? ["pii" as const] : []), ...(rule.detectors.secrets ? ["secrets" as const] : []), ...(terms.length > 0 ? ["terms" as const] : [])];
    if (words(rule.fields).length === 0) return { wrong: `Mask rule ${at + 1} names no field.` };
    if (rule.action === "mask" && detectors.length === 0) return { wrong: `Mask rule ${at + 1} looks for nothing.` };
    mask.push({
      fields: words(rule.fields),
      action: rule.action,
      detectors: detectors.length > 0 ? detectors : ["pii", "secrets"],
      kinds: words(rule.kinds),
      terms,
    });
  }
  return { rules: { sample, keep_errors: draft.keep_errors, keep_slower_ms: slower, mask } };
}

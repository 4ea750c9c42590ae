import type { Question } from "../../api/types";
import { NAME } from "../../kit/name";

export const KINDS: Record<Question["kind"], string> = {
  thumbs: "good or bad",
  label: "one of some labels",
  number: "a number",
  text: "words",
  correction: "what it should have said",
};

/** A question as it is edited: texts, so that what is half typed stays. */
export interface QuestionDraft {
  key: number;
  name: string;
  kind: Question["kind"];
  text: string;
  labels: string;
  ordered: boolean;
  low: string;
  high: string;
  tolerance: string;
  required: boolean;
}

let keys = 0;

export function emptyQuestion(name = ""): QuestionDraft {
  return { key: keys++, name, kind: "thumbs", text: "", labels: "", ordered: false, low: "1", high: "5", tolerance: "1", required: true };
}

const labelsOf = (draft: QuestionDraft) => [...new Set(draft.labels.split("\n").map((one) => one.trim()).filter(Boolean))];

/** What is wrong with a question among all, by field; nothing where it can be asked. What is not yet typed is no fault, but not whole. */
export function faults(draft: QuestionDraft, all: QuestionDraft[]): { name?: string; labels?: string; high?: string; whole: boolean } {
  const name = draft.name && !NAME.test(draft.name) ? "Small letters and digits, then also . _ and -" : draft.name && all.some((one) => one.key !== draft.key && one.name === draft.name) ? "Another question has this name." : undefined;
  const labels = draft.kind === "label" && draft.labels.trim() && labelsOf(draft).length < 2 ? "Two or more, one a line." : undefined;
  const numbers = [draft.low, draft.high, draft.tolerance].map((text) => (text.trim() === "" ? Number.NaN : Number(text)));
  const high = draft.kind === "number" && (numbers.some(Number.isNaN) || numbers[0]! >= numbers[1]! || numbers[2]! < 0) ? "Numbers, the highest above the lowest." : undefined;
  return { name, labels, high, whole: !name && !labels && !high && draft.name !== "" && (draft.kind !== "label" || labelsOf(draft).length >= 2) };
}

export function questionOf(draft: QuestionDraft): Question {
  const { name, kind, text, required } = draft;
  const number = kind === "number" ? { low: Number(draft.low), high: Number(draft.high), tolerance: Number(draft.tolerance) } : { low: 1, high: 5, tolerance: 1 };
  return { name, kind, text: text.trim(), required, labels: kind === "label" ? labelsOf(draft) : [], ordered: kind === "label" && draft.ordered, ...number };
}

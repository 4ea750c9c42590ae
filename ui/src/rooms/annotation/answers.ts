import type { Question } from "../../api/types";

export type Answers = Record<string, string | number>;

/** What the number keys mean for a question, from 1: thumbs, labels, or the whole numbers of a short range. */
export function choices(question: Question): { value: string | number; label: string }[] {
  if (question.kind === "thumbs")
    return [
      { value: 1, label: "Good" },
      { value: 0, label: "Bad" },
    ];
  if (question.kind === "label") return question.labels.map((label) => ({ value: label, label }));
  if (question.kind === "number" && Number.isInteger(question.low) && question.high - question.low <= 9)
    return Array.from({ length: question.high - question.low + 1 }, (_, at) => ({ value: question.low + at, label: String(question.low + at) }));
  return [];
}

/** The first question without an answer; the last one where all have one. */
export function nextOpen(questions: Question[], answers: Answers): number {
  const at = questions.findIndex((question) => question.required && answers[question.name] === undefined);
  return at >= 0 ? at : questions.length - 1;
}

export function complete(questions: Question[], answers: Answers): boolean {
  return questions.every((question) => !question.required || (answers[question.name] !== undefined && answers[question.name] !== ""));
}

/** Answers as they are sent: what was left empty is left out. */
export function sent(answers: Answers): Answers {
  return Object.fromEntries(Object.entries(answers).filter(([, value]) => value !== ""));
}

import type { RefreshTerms } from "../../api/types";

/** Terms as they are edited: what is half typed stays, so numbers are texts. */
export interface RefreshDraft {
  every: string;
  cron: string;
  monitor: string;
  dataset: string;
  rows: string;
  feedback: string;
  judged: string;
  score: string;
  drop: string;
  low: string;
  high: string;
  units: string;
  window: string;
  cooldown: string;
  quiet: string;
  weekly: string;
  patience: string;
  asked: boolean;
  dry: boolean;
}

const orEmpty = (value: number | undefined) => (value ? String(value) : "");

export function termsDraft(terms?: RefreshTerms): RefreshDraft {
  return {
    every: orEmpty(terms?.every_hours),
    cron: terms?.cron ?? "",
    monitor: terms?.drift_monitor ?? "",
    dataset: terms?.dataset ?? "",
    rows: orEmpty(terms?.new_rows),
    feedback: terms?.feedback ?? "",
    judged: orEmpty(terms?.new_feedback),
    score: terms?.score ?? "",
    drop: String(terms?.score_drop ?? 0.05),
    low: String(terms?.score_low ?? 0),
    high: String(terms?.score_high ?? 1),
    units: String(terms?.first_units ?? 200),
    window: String(terms?.window_days ?? 7),
    cooldown: String(terms?.cooldown_hours ?? 24),
    quiet: terms?.quiet_hours ?? "",
    weekly: String(terms?.max_per_week ?? 2),
    patience: String(terms?.patience_hours ?? 72),
    asked: terms?.on_request ?? false,
    dry: terms?.dry_run ?? false,
  };
}

/** The terms as the server takes them. */
export function termsGiven(draft: RefreshDraft): Required<RefreshTerms> {
  return {
    every_hours: Number(draft.every),
    cron: draft.cron.trim(),
    drift_monitor: draft.monitor.trim(),
    dataset: draft.dataset.trim(),
    new_rows: Number(draft.rows),
    feedback: draft.feedback.trim(),
    new_feedback: Number(draft.judged),
    score: draft.score.trim(),
    score_drop: Number(draft.drop),
    score_low: Number(draft.low),
    score_high: Number(draft.high),
    first_units: Number(draft.units),
    window_days: Number(draft.window),
    cooldown_hours: Number(draft.cooldown),
    quiet_hours: draft.quiet.trim(),
    max_per_week: Number(draft.weekly),
    patience_hours: Number(draft.patience),
    on_request: draft.asked,
    dry_run: draft.dry,
  };
}

/** Whether there is a condition, each is whole, and every number is one; what the server knows better, it says. */
export function termsWhole(draft: RefreshDraft): boolean {
  const given = termsGiven(draft);
  const numbers = Object.values(given).filter((value) => typeof value === "number");
  const pairs = [
    [given.dataset, given.new_rows],
    [given.feedback, given.new_feedback],
  ];
  const conditions = [given.every_hours, given.cron, given.drift_monitor, given.new_rows, given.new_feedback, given.score, given.on_request];
  return numbers.every(Number.isFinite) && pairs.every(([name, many]) => Boolean(name) === Boolean(many)) && conditions.some(Boolean);
}

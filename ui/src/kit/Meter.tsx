import { percent } from "./format";

export interface Used {
  spent: number;
  held: number;
  amount: number;
}

export const usedShare = ({ spent, held, amount }: Used): number => (amount > 0 ? (spent + held) / amount : spent + held > 0 ? 1 : 0);

/** How an allowance stands in a word: `ok`, `warn` from 80 % on, `spent` where nothing is left. */
export function standing({ spent, held, amount }: Used): "ok" | "warn" | "spent" {
  if (spent >= amount) return "spent";
  return spent + held >= amount * 0.8 ? "warn" : "ok";
}

/** What is spent of an allowance, what running calls hold, and what is left, as one bar. */
export function Meter({ used, label, words }: { used: Used; label: string; words: (value: number) => string }) {
  const { spent, held, amount } = used;
  const share = (value: number) => `${amount > 0 ? Math.min(1, value / amount) * 100 : value > 0 ? 100 : 0}%`;
  const said = `${label}: ${words(spent)} spent${held ? `, ${words(held)} held` : ""} of ${words(amount)}`;
  return (
    <div className={`meter ${standing(used)}`} role="meter" aria-label={said} aria-valuemin={0} aria-valuemax={amount} aria-valuenow={Math.min(amount, spent)} title={`${said} (${percent(usedShare(used), 0)})`}>
      <i style={{ width: share(spent) }} />
      {held > 0 && <i className="held" style={{ width: share(Math.min(held, amount - spent)) }} />}
    </div>
  );
}

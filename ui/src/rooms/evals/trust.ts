import type { Calibration } from "../../api/types";

/** The state whose icon and colour a calibration's verdict is shown in. */
export function trust(verdict: Calibration["verdict"]): string {
  return { trust: "passed", "use with correction": "warning", "do not use": "failed", "too few rows": "unknown" }[verdict];
}

/** The largest count of a confusion, for shading; at least one. */
export function most(confusion: number[][]): number {
  return Math.max(1, ...confusion.flat());
}

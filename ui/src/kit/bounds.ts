interface Bounds {
  whole?: boolean;
  /** May be left out. */
  empty?: boolean;
  /** The least is not within. */
  over?: boolean;
}

const said = (value: number) => value.toLocaleString("en-US");

/** What is wrong with a number as it is typed; empty where nothing is. */
export function wrongNumber(text: string, least: number, most: number, { whole, empty, over }: Bounds = {}): string {
  if (!text.trim()) return empty ? "" : "A number.";
  const value = Number(text);
  if (Number.isNaN(value) || (whole && !Number.isInteger(value))) return whole ? "A whole number." : "A number.";
  const within = value <= most && (over ? value > least : value >= least);
  if (within) return "";
  return over ? `Over ${said(least)}, at most ${said(most)}.` : `From ${said(least)} to ${said(most)}.`;
}

/** A typed number, or null where none is. */
export const numberOf = (text: string) => (text.trim() ? Number(text) : null);

/** The lines, or the parts between commas, that hold something. */
export function partsOf(text: string, between: RegExp = /\n/): string[] {
  return text.split(between).map((one) => one.trim()).filter(Boolean);
}

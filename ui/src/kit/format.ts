/** Numbers, durations and times in words, the same everywhere. */
const whole = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const absolute = new Intl.DateTimeFormat("en-GB", {
  year: "numeric",
  month: "short",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

export const NONE = "–";

export function count(value: number | null | undefined): string {
  return value == null ? NONE : whole.format(value);
}

export function short(value: number | null | undefined): string {
  return value == null ? NONE : Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value);
}

/** A measured figure: three significant digits, no exponent for what people read. */
export function figure(value: number | null | undefined, digits = 3): string {
  if (value == null || Number.isNaN(value)) return NONE;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return whole.format(Math.round(value));
  if (size < 1e-5) return minus(value.toExponential(1)).replaceAll("-", "−");
  return minus(Number(value.toPrecision(digits)).toString());
}

/** A figure with a fixed number of decimals and a real minus sign. */
export function fixed(value: number | null | undefined, decimals = 3): string {
  return value == null || Number.isNaN(value) ? NONE : minus(value.toFixed(decimals));
}

export function signed(value: number | null | undefined, decimals = 3): string {
  return value == null ? NONE : `${value > 0 ? "+" : ""}${fixed(value, decimals)}`;
}

export function percent(share: number | null | undefined, decimals = 1): string {
  return share == null ? NONE : `${minus((share * 100).toFixed(decimals))} %`;
}

export function duration(ms: number | null | undefined): string {
  if (ms == null) return NONE;
  if (ms <= 0) return "0 ms";
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${Number.isInteger(seconds) ? seconds : seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
  // Rounded before it is parted, or 119.6 s would be one minute and sixty seconds.
  const rounded = Math.round(seconds);
  const minutes = Math.floor(rounded / 60);
  if (minutes < 60) return and(`${minutes} min`, rounded % 60, "s");
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? and(`${hours} h`, minutes % 60, "min") : `${Math.round(hours / 24)} d`;
}

function and(whole: string, rest: number, unit: string): string {
  return rest ? `${whole} ${rest} ${unit}` : whole;
}

export function bytes(size: number | null | undefined): string {
  if (size == null) return NONE;
  if (size < 1000) return `${size} B`;
  const units = ["kB", "MB", "GB", "TB"];
  const power = Math.min(units.length, Math.floor(Math.log10(size) / 3));
  const value = size / 1000 ** power;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power - 1]}`;
}

/** US dollars; a call costs fractions of a cent, so small sums keep their digits. */
export function money(dollars: number | null | undefined): string {
  if (dollars == null) return NONE;
  if (dollars === 0) return "$0";
  if (dollars < 0.01) return `$${Number(dollars.toPrecision(2)).toFixed(Math.min(8, 1 - Math.floor(Math.log10(dollars))))}`;
  return `$${dollars < 100 ? dollars.toFixed(2) : whole.format(Math.round(dollars))}`;
}

/** "3 min ago"; in the future "in 3 min". */
export function ago(time: Date, now: Date): string {
  const seconds = Math.round((now.getTime() - time.getTime()) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  const [value, unit] =
    size < 60 ? [size, "s"]
    : size < 3600 ? [Math.floor(size / 60), "min"]
    : size < 86_400 ? [Math.floor(size / 3600), "h"]
    : [Math.floor(size / 86_400), "d"];
  return seconds < 0 ? `in ${value} ${unit}` : `${value} ${unit} ago`;
}

export function stamp(time: Date): string {
  return absolute.format(time);
}

export function fromNanos(ns: number): Date {
  return new Date(ns / 1e6);
}

/** A name as a heading: `learning_rate` is "Learning rate". */
export function headed(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function plural(n: number, noun: string, many = `${noun}s`): string {
  return `${whole.format(n)} ${n === 1 ? noun : many}`;
}

function minus(text: string): string {
  return text.replace("-", "−");
}

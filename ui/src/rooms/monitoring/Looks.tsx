import { TimeChart } from "../../kit/time";

export interface Look {
  at: string;
  state: string;
  value: number | null;
}

const TONES: Record<string, string> = { ok: "var(--ok)", firing: "var(--error)", insufficient: "var(--border)" };

/** What a monitor saw at each look, oldest first, with its bound; the strip says when it fired. */
export function Looks({ looks, threshold, label, height }: { looks: Look[]; threshold?: number | null; label: string; height?: number }) {
  return (
    <TimeChart
      label={label}
      times={looks.map((look) => Date.parse(look.at))}
      lines={[{ name: "value", values: looks.map((look) => look.value) }]}
      marks={threshold == null ? [] : [{ at: threshold, label: "bound" }]}
      strip={{ states: looks.map((look) => look.state), tone: (state) => TONES[state] ?? "var(--border)" }}
      height={height ?? 200}
    />
  );
}

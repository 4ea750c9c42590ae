import { describe, expect, it } from "vitest";
import type { Figure, MetricComparison } from "../../api/types";
import { byMetric, change, headline, inWords, namesOf, verdict } from "./figures";

const one = (more: Partial<Figure>) =>
  ({ metric: "json", value: 0.9, low: 0.8, high: 0.95, level: 0.95, n: 58, unit: "share", higher_is_better: true, method: "wilson", note: "", ...more }) as Figure;

describe("figures", () => {
  it("stand for an experiment with its quality, and with what there is where nothing tells of that", () => {
    const [speed, lost, perplexity] = [one({ metric: "latency", unit: "ms" }), one({ metric: "lost", value: null }), one({ metric: "perplexity", unit: "perplexity" })];
    expect(headline([speed, lost, perplexity], 3).map((figure) => figure.metric)).toEqual(["perplexity"]);
    expect(headline([speed, lost], 3).map((figure) => figure.metric)).toEqual(["latency"]);
  });

  it("say how they were made", () => {
    expect(inWords(one({}))).toBe("a share of 58 rows; higher is better; 95 % interval by wilson");
    const none = one({ unit: "score", n: 1, low: null, high: null, higher_is_better: false, note: "No interval: 1 row is too few." });
    expect(inWords(none)).toBe("over 1 row; lower is better; no interval: 1 row is too few");
  });
});

describe("a comparison", () => {
  const metric = (more: Partial<MetricComparison>) => ({ metric: "json", unit: "share", verdict: "too few rows", n: 20, needed: 340, ...more }) as MetricComparison;

  it("says how many rows would do", () => {
    expect(verdict(metric({}))).toBe("too few rows (about 340 would do)");
    expect(verdict(metric({ needed: null }))).toBe("too few rows");
    expect(verdict(metric({ verdict: "worse", needed: 340 }))).toBe("worse");
  });

  it("keeps a line for each candidate, quality first", () => {
    const lines = byMetric([[metric({ metric: "latency", unit: "ms" })], [metric({}), metric({ metric: "latency", unit: "ms" })]]);
    expect(lines.map((line) => [line.metric, line.lines.map(Boolean)])).toEqual([["json", [false, true]], ["latency", [true, true]]]);
  });

  it("signs differences in their unit", () => {
    expect([change(0.125, "share"), change(-12, "ms"), change(0, "score"), change(-0.002, "cost")]).toEqual(["+0.125", "−12 ms", "0", "−$0.0020"]);
  });

  it("tells experiments of one name apart", () => {
    expect(namesOf([{ id: "a-1234", name: "nightly" }, { id: "b-5678", name: "nightly" }, { id: "c", name: "other" }])).toEqual(["nightly …1234", "nightly …5678", "other"]);
  });
});

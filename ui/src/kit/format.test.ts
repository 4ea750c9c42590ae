import { describe, expect, it } from "vitest";
import { ago, bytes, duration, figure, headed, money, percent, plural, signed } from "./format";

describe("figures", () => {
  it.each([
    [0, "0"],
    [0.27586, "0.276"],
    [-0.5, "−0.5"],
    [0.0004, "0.0004"],
    [0.0000012, "1.2e−6"],
    [12345.6, "12,346"],
    [null, "–"],
    [Number.NaN, "–"],
  ])("writes %s as %s", (value, text) => expect(figure(value)).toBe(text));

  it("gives differences a sign", () => {
    expect(signed(0.6034)).toBe("+0.603");
    expect(signed(-0.05, 2)).toBe("−0.05");
    expect(percent(-0.5, 0)).toBe("−50 %");
  });
});

describe("durations", () => {
  it.each([
    [0.4, "400 µs"],
    [9.44, "9.4 ms"],
    [340, "340 ms"],
    [1900, "1.90 s"],
    [171_400, "2 min 51 s"],
    [120_000, "2 min"],
    [119_600, "2 min"],
    [3_599_700, "1 h"],
    [5000, "5 s"],
    [3_600_000 * 5, "5 h"],
    [null, "–"],
  ])("writes %s ms as %s", (ms, text) => expect(duration(ms)).toBe(text));
});

describe("sizes and sums", () => {
  it("counts bytes by thousands", () => {
    expect(bytes(999)).toBe("999 B");
    expect(bytes(98_000_000)).toBe("98 MB");
    expect(bytes(9_830_000)).toBe("9.8 MB");
  });

  it("keeps the digits of small sums", () => {
    expect(money(0)).toBe("$0");
    expect(money(0.00004)).toBe("$0.000040");
    expect(money(3.14159)).toBe("$3.14");
    expect(money(1234.5)).toBe("$1,235");
  });

  it("knows one from many", () => {
    expect(plural(1, "file")).toBe("1 file");
    expect(plural(2000, "file")).toBe("2,000 files");
  });
});

it("writes names as headings", () => {
  expect(headed("learning_rate")).toBe("Learning rate");
  expect(headed("")).toBe("");
});

it("tells how long ago, and how soon", () => {
  const now = new Date("2026-01-02T03:04:05Z");
  const before = (seconds: number) => new Date(now.getTime() - seconds * 1000);
  expect(ago(before(2), now)).toBe("just now");
  expect(ago(before(59), now)).toBe("59 s ago");
  expect(ago(before(3599), now)).toBe("59 min ago");
  expect(ago(before(86_399), now)).toBe("23 h ago");
  expect(ago(before(-120), now)).toBe("in 2 min");
});

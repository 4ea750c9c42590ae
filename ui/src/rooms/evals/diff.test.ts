import { describe, expect, it } from "vitest";
import { diff, laidOut, readable } from "./diff";

const side = (pieces: ReturnType<typeof diff>, kind: "cut" | "add") => pieces.filter((one) => one.kind === "same" || one.kind === kind).map((one) => one.text).join("");

describe("a diff", () => {
  it("says which words went and which came", () => {
    expect(diff("It reads a file.", "It reads one file.")).toEqual([
      { text: "It reads ", kind: "same" },
      { text: "a", kind: "cut" },
      { text: "one", kind: "add" },
      { text: " file.", kind: "same" },
    ]);
    expect(diff("", "new")).toEqual([{ text: "new", kind: "add" }]);
    expect(diff("same", "same")).toEqual([{ text: "same", kind: "same" }]);
  });

  it("gives both texts back, whatever they are, with as few edits as there can be", () => {
    let seed = 7;
    const draw = (most: number) => (seed = (seed * 48271) % 2147483647) % most;
    const text = () => Array.from({ length: draw(12) }, () => "abc"[draw(3)]).join(" ");
    for (let round = 0; round < 300; round++) {
      const [before, after] = [text(), text()];
      const found = diff(before, after);
      expect([side(found, "cut"), side(found, "add")]).toEqual([before, after]);
      const kept = found.filter((one) => one.kind === "same").flatMap((one) => [...one.text]).length;
      expect(kept).toBe(common([...before], [...after]));
    }
  });

  it("gives both texts back where they are long and have nothing in common", () => {
    const [before, after] = [Array.from({ length: 9_000 }, (_, i) => `a${i}`).join(" "), Array.from({ length: 9_000 }, (_, i) => `b${i}`).join(".")];
    const found = diff(before, after);
    expect([side(found, "cut"), side(found, "add")]).toEqual([before, after]);
  });
});

describe("a diff for people", () => {
  it("leaves single words in common out where all else differs", () => {
    expect(readable("This does something useful.", '{"summary": "Reads a file.", "package": "json"}').map((one) => one.kind)).toEqual(["cut", "add"]);
    expect(readable("It reads a file.", "It reads one file.")).toEqual(diff("It reads a file.", "It reads one file."));
    expect(readable("", "")).toEqual([]);
  });

  it("tells a phrase that was replaced as one", () => {
    expect(readable("Your parcel, as it seems: it arrives on Tuesday.", "Your parcel, as it seems: I do not know.")).toEqual([
      { text: "Your parcel, as it seems: ", kind: "same" },
      { text: "it arrives on Tuesday", kind: "cut" },
      { text: "I do not know", kind: "add" },
      { text: ".", kind: "same" },
    ]);
  });
});

describe("laying out", () => {
  it("puts JSON on lines of its own and leaves other text alone", () => {
    expect(laidOut(' {"a": [1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
    expect(laidOut("{not json")).toBe("{not json");
    expect(laidOut("7")).toBe("7");
  });
});

/** The length of the longest common subsequence, by the textbook table. */
function common(a: string[], b: string[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) table[i]![j] = a[i - 1] === b[j - 1] ? table[i - 1]![j - 1]! + 1 : Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
  return table[a.length]![b.length]!;
}

/** What changed between two texts, word by word. */
export interface Piece {
  text: string;
  kind: "same" | "cut" | "add";
}

const MOST_EDITS = 600;
const MOST_WORDS = 20_000;
const LEAST_SHARED = 0.15;

/** JSON laid out line by line, so that two answers differ where they mean something else; other text as it is. */
export function laidOut(text: string): string {
  const trimmed = text.trim();
  if (!/^[{[]/.test(trimmed)) return text;
  try {
    return JSON.stringify(JSON.parse(trimmed), null, 2);
  } catch {
    return text;
  }
}

/** Words, runs of spaces and single signs. */
export function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
}

/**
 * The shortest edit from one text to another (Myers 1986, the greedy algorithm of section 4), over words; texts that are too long or too
 * far apart for that count as wholly replaced between what they begin and end with alike.
 */
export function diff(before: string, after: string): Piece[] {
  const [a, b] = [words(before), words(after)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const [left, right] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  return joined([
    { text: a.slice(0, head).join(""), kind: "same" },
    ...(edits(left, right) ?? [
      { text: left.join(""), kind: "cut" as const },
      { text: right.join(""), kind: "add" as const },
    ]),
    { text: a.slice(a.length - tail).join(""), kind: "same" },
  ]);
}

/** A diff for people: where next to nothing is shared, chance words in common are no help, and all of it was replaced. */
export function readable(before: string, after: string): Piece[] {
  const found = diff(before, after);
  const size = (kinds: Piece["kind"][]) => found.reduce((sum, one) => sum + (kinds.includes(one.kind) ? one.text.replace(/\s/g, "").length : 0), 0);
  if (size(["same"]) >= LEAST_SHARED * size(["same", "cut", "add"])) return phrased(found);
  return [
    { text: before, kind: "cut" as const },
    { text: after, kind: "add" as const },
  ].filter((one) => one.text);
}

/** Words that were replaced one after the other as one phrase: the blanks between them belong to both. */
function phrased(pieces: Piece[]): Piece[] {
  const found: Piece[] = [];
  let [cut, add] = ["", ""];
  const close = () => {
    if (cut) found.push({ text: cut, kind: "cut" });
    if (add) found.push({ text: add, kind: "add" });
    [cut, add] = ["", ""];
  };
  pieces.forEach((piece, at) => {
    const inside = piece.kind === "same" && cut && add && /^[^\S\n]+$/.test(piece.text) && pieces[at + 1];
    if (piece.kind === "cut") cut += piece.text;
    else if (piece.kind === "add") add += piece.text;
    else if (inside) [cut, add] = [cut + piece.text, add + piece.text];
    else {
      close();
      found.push(piece);
    }
  });
  close();
  return found;
}

function edits(a: string[], b: string[]): Piece[] | null {
  if (a.length + b.length > MOST_WORDS) return null;
  const trail = walk(a, b);
  if (!trail) return null;
  const found: Piece[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = trail.length - 1; d > 0; d--) {
    const ends = trail[d]!;
    const k = x - y;
    const from = k === -d || (k !== d && (ends.get(k - 1) ?? -1) < (ends.get(k + 1) ?? -1)) ? k + 1 : k - 1;
    const start = ends.get(from)!;
    while (x > start && y > start - from) {
      found.push({ text: a[--x]!, kind: "same" });
      y--;
    }
    if (x === start) found.push({ text: b[--y]!, kind: "add" });
    else found.push({ text: a[--x]!, kind: "cut" });
  }
  while (x > 0) found.push({ text: a[--x]!, kind: "same" });
  return found.reverse();
}

/** The furthest place on each diagonal before each number of edits; null where it takes too many. */
function walk(a: string[], b: string[]): Map<number, number>[] | null {
  let ends = new Map<number, number>([[1, 0]]);
  const trail: Map<number, number>[] = [];
  for (let d = 0; d <= Math.min(a.length + b.length, MOST_EDITS); d++) {
    trail.push(new Map(ends));
    const next = new Map(ends);
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && (ends.get(k - 1) ?? -1) < (ends.get(k + 1) ?? -1)) ? (ends.get(k + 1) ?? 0) : (ends.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return trail;
    }
    ends = next;
  }
  return null;
}

function joined(pieces: Piece[]): Piece[] {
  const found: Piece[] = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    if (piece.text === "") continue;
    if (last?.kind === piece.kind) last.text += piece.text;
    else found.push({ ...piece });
  }
  return found;
}

/** What a file's column can be, as the server names it. */
export const PARTS = ["id", "messages", "text", "system", "prompt", "completion", "reference", "label", "group", "split"];

/** Which column holds what, of `prompt=question, completion=answer`. Throws where that is not what is written. */
export function mappingOf(text: string): Record<string, string> | null {
  const pairs = text.split(/[,\n]/).map((one) => one.trim()).filter(Boolean);
  if (pairs.length === 0) return null;
  return Object.fromEntries(
    pairs.map((pair) => {
      const [part, ...column] = pair.split("=");
      if (!PARTS.includes(part!.trim()) || !column.join("=").trim()) throw new Error(`"${pair}" is not one of ${PARTS.join(", ")} with = and a column.`);
      return [part!.trim(), column.join("=").trim()];
    }),
  );
}

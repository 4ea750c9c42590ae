import { $api } from "../../api/client";
import type { Key } from "../../api/types";

/** What people call a key: its note, or whose it is. */
export const nameOf = (key: Pick<Key, "note" | "member">): string => key.note || key.member;

/** How a key begins, as it stands in a program's settings. */
export const prefixOf = (id: string): string => `ms_${id.slice(0, 12)}…`;

/** The keys' names by id; what is not among the first thousand goes by its beginning. */
export function useKeyNames(): (id: string) => string {
  const known = $api.useQuery("get", "/keys", { params: { query: { limit: 1000 } } }, { retry: false, staleTime: 60_000 });
  const names = new Map(known.data?.items.map((key) => [key.id, `${nameOf(key)} (${prefixOf(key.id)})`]));
  return (id) => names.get(id) ?? prefixOf(id);
}

import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

export type Search = Record<string, string | undefined>;

/** The view's state in the address: read it, and change parts of it without adding a step to the history. */
export function useUrl(): [Search, (change: Search, push?: boolean) => void] {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const change = useCallback(
    (next: Search, push = false) => void navigate({ to: ".", search: ((old: Search) => ({ ...old, ...next })) as never, replace: !push }),
    [navigate],
  );
  return [search, change];
}

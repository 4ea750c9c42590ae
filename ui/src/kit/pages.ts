import type { ListProps } from "./list";

type Page<T> = { items: T[]; next_cursor?: string | null };

/** How the pages of a list follow each other: each names the cursor of the next. */
export const PAGES = { pageParamName: "cursor", initialPageParam: "", getNextPageParam: (page: { next_cursor?: string | null }) => page.next_cursor || undefined } as const;

interface Pages<T> {
  data?: { pages: Page<T>[] };
  error: unknown;
  refetch: () => unknown;
  hasNextPage: boolean;
  fetchNextPage: () => unknown;
  isFetchingNextPage: boolean;
}

/** What a list takes of a query. */
export type Shown<T> = Pick<ListProps<T>, "items" | "error" | "retry" | "hasMore" | "loadMore" | "loadingMore">;

/** What a list shows of a query of pages, those items alone that are kept, and how it asks for more. */
export function paged<T>(query: Pages<T>, keep: (item: T) => boolean = () => true): Shown<T> {
  return {
    items: query.data?.pages.flatMap((page) => page.items).filter(keep),
    error: query.error,
    retry: query.refetch,
    hasMore: query.hasNextPage,
    loadMore: () => void query.fetchNextPage(),
    loadingMore: query.isFetchingNextPage,
  };
}

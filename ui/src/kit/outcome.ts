import { useQueryClient } from "@tanstack/react-query";
import { toast } from "./toast";

/** What surrounds a change: say that it was done (and how to take it back), or why not, and read again what is shown. */
export function useOutcome() {
  const queries = useQueryClient();
  return <T>(said: string | ((made: T) => string), options: { done?: (made: T) => void; undo?: (made: T) => void; quiet?: boolean } = {}) => ({
    // What is shown may be read again before the answer comes: what is brought back is what was there when it began.
    onMutate: () => options.undo,
    onSuccess: (made: T, _: unknown, begun: unknown) => {
      const undo = begun as typeof options.undo;
      toast(typeof said === "string" ? said : said(made), undo && { undo: () => undo(made) });
      options.done?.(made);
    },
    // A form that shows the refusal itself is quiet.
    onError: (error: unknown) => void (options.quiet || toast((error as Error).message, { tone: "error" })),
    onSettled: () => void queries.invalidateQueries(),
  });
}

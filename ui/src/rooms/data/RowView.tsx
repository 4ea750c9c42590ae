import type { Row } from "../../api/types";
import { KeyValues } from "../../kit/basics";

import { Code, Content } from "../traces/Content";

/** One row in full: its conversation, what it is compared with, and what else is known of it. */
export function RowView({ row }: { row: Row }) {
  const messages = row.messages ?? [];
  const answer = messages.at(-1)?.role === "assistant" ? messages.at(-1) : undefined;
  const asked = messages.filter((message) => message !== answer);
  const meta = Object.entries(row.meta ?? {});
  return (
    <div className="stack">
      <KeyValues
        items={[
          ["Label", row.label ?? <span className="faint">none</span>],
          ["Split", row.split || <span className="faint">none</span>],
          ["Group", row.group || <span className="faint">none</span>],
          ...meta.map(([key, value]): [string, string] => [key, typeof value === "string" ? value : JSON.stringify(value)]),
        ]}
      />
      <Content span={{ input: messages.length ? asked : row.text, output: answer ? [answer] : null } as never} />
      {row.reference != null && (
        <>
          <h3>Reference</h3>
          <Code label="Reference" value={typeof row.reference === "string" ? row.reference : JSON.stringify(row.reference, null, 2)} />
        </>
      )}
    </div>
  );
}

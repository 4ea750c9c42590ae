import { $api } from "../../api/client";
import type { DiffPart, PromptVersion } from "../../api/types";
import { Blank, Card } from "../../kit/basics";
import { useUrl } from "../../kit/hooks";
import { Show } from "../../kit/page";

/** Two versions side by side, message by message; what did not change folds away. */
export function Changes({ prompt, versions }: { prompt: PromptVersion; versions: number[] }) {
  const [url, setUrl] = useUrl();
  const others = versions.filter((number) => number !== prompt.number);
  const from = Number(url.from) || prompt.number - 1 || others[0] || 0;
  const query = $api.useQuery(
    "get",
    "/prompts/{name}/diff",
    { params: { path: { name: prompt.name }, query: { left: String(from), right: String(prompt.number) } } },
    { enabled: from > 0 },
  );
  if (from === 0) return <Blank icon="prompt" title="This is the only version" text="A commit of other content makes the next one." />;
  return (
    <div className="stack">
      <label className="row">
        <span className="dim">From</span>
        <select className="select" value={from} onChange={(event) => setUrl({ from: event.target.value })}>
          {!others.includes(from) && <option value={from}>version {from}</option>}
          {others.map((number) => (
            <option key={number} value={number}>
              version {number}
            </option>
          ))}
        </select>
        <span className="dim">to version {prompt.number}</span>
      </label>
      <Show query={query}>
        {(diff) =>
          diff.identical ? (
            <Blank icon="prompt" title="The versions are the same" />
          ) : (
            <>
              {diff.parts?.map((part) => (
                <Part key={part.title} part={part} left={diff.left} right={diff.right} />
              ))}
            </>
          )
        }
      </Show>
    </div>
  );
}

function Part({ part, left, right }: { part: Pick<DiffPart, "title" | "same"> & { rows: (string | null)[][] }; left: string; right: string }) {
  if (part.same)
    return (
      <details>
        <summary>
          {part.title}: the same
        </summary>
        <pre className="code" tabIndex={0} aria-label={part.title}>
          {part.rows.map(([line]) => line).join("\n")}
        </pre>
      </details>
    );
  return (
    <Card title={part.title} flush>
      <div className="table-wrap" tabIndex={0} role="group" aria-label={`Changes of ${part.title}`}>
        <table className="sides">
          <thead>
            <tr>
              <th scope="col">{left}</th>
              <th scope="col">{right}</th>
            </tr>
          </thead>
          <tbody>
            {part.rows.map(([before, after], index) => (
              <tr key={index}>
                <Line text={before} kind={before === after ? "" : "cut-out"} />
                <Line text={after} kind={before === after ? "" : "add"} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function Line({ text, kind }: { text: string | null | undefined; kind: string }) {
  if (text == null) return <td className="none" />;
  return (
    <td className={kind || undefined}>
      {kind && <span className="sign">{kind === "add" ? "+" : "−"}</span>}
      {text}
    </td>
  );
}

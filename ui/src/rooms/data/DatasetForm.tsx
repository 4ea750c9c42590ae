import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api, upload } from "../../api/client";
import type { DatasetVersion } from "../../api/types";
import { Segments } from "../../kit/basics";
import { Field, FormDialog } from "../../kit/Dialog";
import { bytes, plural } from "../../kit/format";
import { NAME } from "../../kit/name";
import { useOutcome } from "../../kit/outcome";
import { mappingOf } from "./columns";
import { DatasetField } from "./DatasetField";

const SOURCES = ["A file", "Pasted rows"] as const;
const FORMATS = ["auto", "jsonl", "json", "csv", "tsv", "parquet"] as const;

/** Makes a dataset, or the next version of one, of a file or of rows that are pasted; all of it or nothing. */
export function DatasetForm({ fixed, close, done }: { fixed?: string; close: () => void; done: (made: DatasetVersion) => void }) {
  const outcome = useOutcome();
  const [name, setName] = useState(fixed ?? "");
  const [source, setSource] = useState<(typeof SOURCES)[number]>("A file");
  const [file, setFile] = useState<File>();
  const [form, setForm] = useState({ text: "", format: "auto" as (typeof FORMATS)[number], columns: "", license: "", note: "" });
  const set = (more: Partial<typeof form>) => setForm({ ...form, ...more });
  const content = source === "A file" ? file : form.text.trim() ? new Blob([form.text]) : undefined;
  const wrong = problem(form.columns);
  const said = (made: DatasetVersion) => (made.existed ? `${made.ref} has these rows already.` : `${made.ref} has ${plural(made.rows, "row")}.`);
  const bring = useMutation({
    mutationFn: async () => {
      const { format, license, note } = form;
      const body = { file: await upload(content!), format, mapping: mappingOf(form.columns), license, note };
      const { data } = await api.POST("/datasets/{name}/import", { params: { path: { name } }, body });
      return data!;
    },
    ...outcome(said, {
      quiet: true,
      done: (made: DatasetVersion) => {
        close();
        done(made);
      },
    }),
  });
  return (
    <FormDialog
      title={fixed ? `Import a version of ${fixed}` : "Import a dataset"}
      close={close}
      size={560}
      stays
      ready={NAME.test(name) && content !== undefined && !wrong && !bring.isPending}
      label={bring.isPending ? "Importing…" : "Import"}
      error={bring.error}
      go={() => bring.mutate()}
    >
      {!fixed && <DatasetField value={name} set={setName} placeholder="faq" note="A name that is there gets its next version; older ones stay as they are." />}
      <div>
        <Segments value={source} options={SOURCES} label="Where the rows are" onChange={setSource} />
      </div>
      {source === "A file" ? (
        <Field label="File" note={file ? bytes(file.size) : "JSON lines, JSON, CSV, TSV or Parquet: messages, prompt and completion, instruction and output, conversations, or text."}>
          <input className="input file" type="file" accept=".jsonl,.ndjson,.json,.csv,.tsv,.parquet" onChange={(event) => setFile(event.target.files?.[0])} />
        </Field>
      ) : (
        <Field label="Rows" note="JSON lines, or CSV with a first line of names.">
          <textarea className="area mono tall" value={form.text} spellCheck={false} placeholder={'{"prompt": "Which size?", "completion": "42."}'} onChange={(event) => set({ text: event.target.value })} />
        </Field>
      )}
      <details>
        <summary>Format, columns and licence</summary>
        <div className="stack">
          <div className="pair">
            <Field label="Format">
              <select className="select" value={form.format} onChange={(event) => set({ format: event.target.value as typeof form.format })}>
                {FORMATS.map((one) => (
                  <option key={one} value={one}>
                    {one === "auto" ? "as the content looks" : one}
                  </option>
                ))}
              </select>
            </Field>
            <Field label="Licence" note="For rows that name none.">
              <input className="input" value={form.license} maxLength={300} placeholder="CC-BY-4.0" onChange={(event) => set({ license: event.target.value })} />
            </Field>
          </div>
          <Field label="Columns" note="Which column holds what, where names do not tell." wrong={wrong}>
            <input className="input mono" value={form.columns} aria-invalid={Boolean(wrong)} placeholder="prompt=question, completion=answer" onChange={(event) => set({ columns: event.target.value })} />
          </Field>
        </div>
      </details>
      <Field label="Note">
        <input className="input" value={form.note} maxLength={20_000} placeholder="Where it is from" onChange={(event) => set({ note: event.target.value })} />
      </Field>
    </FormDialog>
  );
}

function problem(columns: string): string {
  try {
    mappingOf(columns);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

import { useSyncExternalStore } from "react";
import { Icon } from "./icons";

interface Note {
  id: number;
  text: string;
  tone: "ok" | "error";
  undo?: () => void;
}

let notes: readonly Note[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(changed: readonly Note[]) {
  notes = changed;
  for (const listener of listeners) listener();
}

/** Say that something was done, or was not; with `undo` for what can be taken back. */
export function toast(text: string, options: { tone?: "ok" | "error"; undo?: () => void } = {}) {
  const note: Note = { id: next++, text, tone: options.tone ?? "ok", undo: options.undo };
  set([...notes.slice(-3), note]);
  setTimeout(() => set(notes.filter((other) => other.id !== note.id)), note.undo ? 10_000 : 5_000);
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notes,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((note) => (
        <div key={note.id} className="toast">
          <span style={{ color: `var(--${note.tone})` }}>
            <Icon name={note.tone === "ok" ? "check" : "warn"} />
          </span>
          <span className="grow">{note.text}</span>
          {note.undo && (
            <button
              type="button"
              className="btn quiet"
              onClick={() => {
                note.undo?.();
                set(notes.filter((other) => other.id !== note.id));
              }}
            >
              Undo
            </button>
          )}
        </div>
      ))}
    </div>
  );
}

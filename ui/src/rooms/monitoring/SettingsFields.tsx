import { Field } from "../../kit/Dialog";
import { METRICS, type Setting } from "./kinds";

/** The settings of a kind of monitor, each as its schema says. */
export function SettingsFields({ settings, draft, set }: { settings: Setting[]; draft: Record<string, string>; set: (more: Record<string, string>) => void }) {
  return (
    <div className="pair">
      {settings.map((one) => (
        <Field key={one.name} label={one.label} note={one.about || undefined}>
          <Value one={one} value={draft[one.name] ?? ""} set={(value) => set({ [one.name]: value })} />
        </Field>
      ))}
    </div>
  );
}

function Value({ one, value, set }: { one: Setting; value: string; set: (value: string) => void }) {
  if (one.type === "choice")
    return (
      <select className="select" value={value} onChange={(event) => set(event.target.value)}>
        {one.options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    );
  const metric = one.name === "metric";
  return (
    <>
      <input
        className={one.type === "number" ? "input num" : "input"}
        inputMode={one.type === "number" ? "decimal" : undefined}
        list={metric ? "metrics" : undefined}
        placeholder={one.optional ? "none" : one.type === "choices" ? one.options.join(", ") : undefined}
        value={value}
        onChange={(event) => set(event.target.value)}
      />
      {metric && (
        <datalist id="metrics">
          {METRICS.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      )}
    </>
  );
}

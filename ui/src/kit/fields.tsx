import { useId, type ReactNode } from "react";
import { Field } from "./Dialog";

interface Typed {
  label: string;
  value: string;
  set: (value: string) => void;
  wrong?: string | false;
  note?: ReactNode;
  placeholder?: string;
}

/** A number as it is typed. */
export function NumberField({ whole, ...props }: Typed & { whole?: boolean }) {
  return (
    <Field label={props.label} note={props.note} wrong={props.wrong}>
      <input
        className="input num"
        inputMode={whole ? "numeric" : "decimal"}
        value={props.value}
        placeholder={props.placeholder}
        aria-invalid={Boolean(props.wrong)}
        onChange={(event) => props.set(event.target.value)}
      />
    </Field>
  );
}

/** A reference or a name, typed or chosen of those that are known. */
export function SuggestField({ known, first, ...props }: Typed & { known: readonly string[]; first?: boolean }) {
  const list = useId();
  return (
    <Field label={props.label} note={props.note} wrong={props.wrong}>
      <input
        className="input mono"
        list={list}
        value={props.value}
        data-autofocus={first || undefined}
        placeholder={props.placeholder}
        aria-invalid={Boolean(props.wrong)}
        onChange={(event) => props.set(event.target.value)}
      />
      <datalist id={list}>
        {[...new Set(known)].map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </Field>
  );
}

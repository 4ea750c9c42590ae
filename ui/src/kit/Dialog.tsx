import { Modal } from "@mantine/core";
import { Children, cloneElement, isValidElement, useId, useState, type ReactElement, type ReactNode } from "react";
import { ApiError } from "../api/client";
import { Icon } from "./icons";
import { NAME } from "./name";

/** A dialog over the page; what is in it is a form. */
export function Dialog(props: { title: string; close: () => void; children: ReactNode; size?: number; stays?: boolean }) {
  return (
    <Modal
      opened
      onClose={props.close}
      lockScroll={false}
      closeButtonProps={{ "aria-label": "Close" }}
      closeOnClickOutside={!props.stays}
      title={props.title}
      size={props.size ?? 440}
      centered
      transitionProps={{ duration: 120 }}
    >
      {props.children}
    </Modal>
  );
}

/** The end of a form: leave, or go on, or what else there is. */
export function Foot({ close, ready, label, danger = false, also }: { close: () => void; ready: boolean; label: string; danger?: boolean; also?: ReactNode }) {
  return (
    <div className="row end">
      <button type="button" className="btn" onClick={close}>
        Cancel
      </button>
      {also}
      <button type="submit" className={danger ? "btn danger" : "btn primary"} disabled={!ready}>
        {label}
      </button>
    </div>
  );
}

/** Why the server refused what a form asked for, and what to do. */
export function Refused({ error }: { error: unknown }) {
  if (!error) return null;
  return (
    <p className="notice error" role="alert">
      <Icon name="warn" />
      <span>
        {(error as Error).message} {error instanceof ApiError && error.hint}
      </span>
    </p>
  );
}

const TYPED = new Set(["input", "select", "textarea"]);

/** One value of a form with its name, and a word about it where that helps, or of what is wrong with it; both are read out with it. */
export function Field({ label, note, wrong, children }: { label: string; note?: ReactNode; wrong?: string | false; children: ReactNode }) {
  const told = useId();
  const described = Children.map(children, (child) =>
    isValidElement(child) && TYPED.has(String(child.type)) ? cloneElement(child as ReactElement<{ "aria-describedby"?: string }>, { "aria-describedby": told }) : child,
  );
  return (
    <div className="field">
      <label className="field">
        <span>{label}</span>
        {described}
      </label>
      <div id={told} className="told-of" aria-live="polite">
        {wrong ? <span className="wrong">{wrong}</span> : note && <small className="dim">{note}</small>}
      </div>
    </div>
  );
}

/** The name of something new. */
export function NameField(props: { value: string; set: (name: string) => void; placeholder: string; label?: string; note?: ReactNode; list?: string }) {
  const wrong = props.value !== "" && !NAME.test(props.value);
  return (
    <Field label={props.label ?? "Name"} note={props.note} wrong={wrong && "Small letters and digits, then also . _ and -"}>
      <input
        className="input"
        value={props.value}
        list={props.list}
        data-autofocus
        aria-invalid={wrong}
        placeholder={props.placeholder}
        onChange={(event) => props.set(event.target.value)}
      />
    </Field>
  );
}

/** A dialog that is one form: its fields, why the server refused them, and the way out or on. */
export function FormDialog(props: {
  title: string;
  close: () => void;
  go: () => void;
  ready: boolean;
  label: string;
  error?: unknown;
  children: ReactNode;
  danger?: boolean;
  also?: ReactNode;
  size?: number;
  stays?: boolean;
}) {
  return (
    <Dialog title={props.title} close={props.close} size={props.size} stays={props.stays}>
      <form
        className="stack"
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          if (props.ready) props.go();
        }}
      >
        {props.children}
        <Refused error={props.error} />
        <Foot close={props.close} ready={props.ready} label={props.label} danger={props.danger} also={props.also} />
      </form>
    </Dialog>
  );
}

/** Asks for the typed name of what cannot be had back. */
export function TypedName(props: { title: string; name: string; label: string; children: ReactNode; busy: boolean; error?: unknown; close: () => void; go: () => void }) {
  const [typed, setTyped] = useState("");
  return (
    <FormDialog title={props.title} close={props.close} ready={typed === props.name && !props.busy} label={props.label} error={props.error} go={props.go} danger>
      <p>{props.children}</p>
      <label className="field">
        <span>
          This is for good. Type <code>{props.name}</code> to go on.
        </span>
        <input className="input" value={typed} data-autofocus autoComplete="off" onChange={(event) => setTyped(event.target.value)} />
      </label>
    </FormDialog>
  );
}

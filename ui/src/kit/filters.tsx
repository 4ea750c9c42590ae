import { useEffect, useRef, useState, type ReactNode } from "react";
import { useUrl } from "./hooks";
import { Icon } from "./icons";

export interface Choice {
  value: string;
  label?: string;
}

/** The bar over a list: what it is narrowed to stands in the address. */
export function Filters({ children }: { children: ReactNode }) {
  return <search className="filters">{children}</search>;
}

/** Narrows by one of some values; none of them is the first choice, or `fallback` where there is always one. */
export function Choose(props: { name: string; label: string; any?: string; choices: readonly (string | Choice)[]; fallback?: string }) {
  const [url, setUrl] = useUrl();
  const choices = props.choices.map((one) => (typeof one === "string" ? { value: one, label: one } : one));
  const value = url[props.name] ?? props.fallback ?? "";
  const known = value === "" || choices.some((one) => one.value === value);
  return (
    <select
      className="select"
      aria-label={props.label}
      value={value}
      onChange={(event) => setUrl({ [props.name]: event.target.value === (props.fallback ?? "") ? undefined : event.target.value, peek: undefined }, true)}
    >
      {props.any !== undefined && <option value="">{props.any}</option>}
      {!known && <option value={value}>{value}</option>}
      {choices.map((one) => (
        <option key={one.value} value={one.value}>
          {one.label ?? one.value}
        </option>
      ))}
    </select>
  );
}

/** Words to look for in what is loaded, as one types. */
export function Words({ placeholder, name = "q" }: { placeholder: string; name?: string }) {
  const [url, setUrl] = useUrl();
  const held = url[name] ?? "";
  const [words, setWords] = useState(held);
  // The address follows a letter later: what it says of letters typed before is not put back over what was typed since.
  const typed = useRef<string[]>([]);
  useEffect(() => {
    const echo = typed.current.indexOf(held);
    typed.current = echo < 0 ? [] : typed.current.slice(echo + 1);
    if (echo < 0) setWords(held);
  }, [held]);
  return (
    <div className="searchbox">
      <Icon name="search" size={14} />
      <input
        className="input"
        type="search"
        placeholder={placeholder}
        aria-label={placeholder}
        value={words}
        onChange={(event) => {
          setWords(event.target.value);
          typed.current.push(event.target.value);
          setUrl({ [name]: event.target.value || undefined, peek: undefined });
        }}
      />
    </div>
  );
}

/** Words that the server looks for, once they are typed. */
export function Search({ label, placeholder, name = "query" }: { label: string; placeholder: string; name?: string }) {
  const [url, setUrl] = useUrl();
  const held = url[name] ?? "";
  const [words, setWords] = useState(held);
  useEffect(() => setWords(held), [held]);
  return (
    <form
      className="searchbox"
      onSubmit={(event) => {
        event.preventDefault();
        setUrl({ [name]: words.trim() || undefined, peek: undefined }, true);
      }}
    >
      <Icon name="search" size={14} />
      <input className="input" type="search" placeholder={placeholder} aria-label={label} value={words} onChange={(event) => setWords(event.target.value)} />
    </form>
  );
}

/** What a list is narrowed to, with a cross to take it away: the filter of a name, or what `drop` says. */
export function Chip(props: { name?: string; label: string; value: ReactNode; bare?: boolean; drop?: () => void }) {
  const [, setUrl] = useUrl();
  const drop = props.drop ?? (() => props.name && setUrl({ [props.name]: undefined, peek: undefined }, true));
  return (
    <button type="button" className="btn chip" aria-label={`Remove the filter ${props.label}`} onClick={drop}>
      <span className="cut">
        {!props.bare && `${props.label}: `}
        {props.value}
      </span>
      <Icon name="cross" size={12} />
    </button>
  );
}

/** Whether all words stand in a text. */
export function holds(words: string | undefined, ...texts: (string | null | undefined)[]): boolean {
  const whole = texts.join(" ").toLowerCase();
  return (words ?? "").toLowerCase().split(/\s+/).every((word) => whole.includes(word));
}

/** What a list of a form offers: each value, under its name. */
export function Options({ of }: { of: Readonly<Record<string, string>> }) {
  return Object.entries(of).map(([value, label]) => (
    <option key={value} value={value}>
      {label}
    </option>
  ));
}

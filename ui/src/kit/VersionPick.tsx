import { useUrl } from "./hooks";

export interface Versioned {
  number: number;
  /** Aliases or labels that point at it. */
  names?: string[];
}

/** Chooses a version; which one stands in the address as `?version=`. */
export function VersionPick({ versions, current }: { versions: Versioned[] | undefined; current: number | undefined }) {
  const [, setUrl] = useUrl();
  if (current === undefined && !versions?.length) return null; // nothing to choose from, as of a name that is nobody's
  return (
    <select
      className="select"
      aria-label="Version"
      value={current ?? ""}
      onChange={(event) => setUrl({ version: event.target.value || undefined }, true)}
    >
      {current !== undefined && !versions?.some((version) => version.number === current) && <option value={current}>version {current}</option>}
      {versions?.map((version) => (
        <option key={version.number} value={version.number}>
          version {version.number}
          {version.names?.length ? ` (${version.names.join(", ")})` : ""}
        </option>
      ))}
    </select>
  );
}

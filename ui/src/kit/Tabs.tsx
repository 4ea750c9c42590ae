import { useUrl } from "./hooks";

/** Tabs whose choice stands in the address as `?tab=`; the first is the default. */
export function Tabs<T extends string>({ tabs, label, current }: { tabs: readonly T[]; label: string; current: T }) {
  const [, setUrl] = useUrl();
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <button key={tab} type="button" aria-current={tab === current ? "page" : undefined} onClick={() => setUrl({ tab: tab === tabs[0] ? undefined : tab }, true)}>
          {tab}
        </button>
      ))}
    </nav>
  );
}

export function useTab<T extends string>(tabs: readonly T[]): T {
  const [url] = useUrl();
  return tabs.find((tab) => tab === url.tab) ?? tabs[0]!;
}

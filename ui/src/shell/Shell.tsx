import { useMantineColorScheme } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { session } from "../api/client";
import { Icon, Mark } from "../kit/icons";
import { Failure } from "../kit/page";
import { Toasts } from "../kit/toast";
import { Palette } from "./Palette";
import { PLACES } from "./places";
import { signOut, useWho, type Who } from "./session";
import { SignIn } from "./SignIn";

const MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** What surrounds every page: the sidebar, the palette, and the question who is there. */
export function Shell() {
  const open = useLocation({ select: (location) => location.pathname === "/review" });
  // Whoever came by a link has no key, and sees nothing but what the link opens.
  return open ? <Outlet /> : <Members />;
}

function Members() {
  const who = useWho();
  const queries = useQueryClient();
  useEffect(() => {
    session.ended = () => queries.setQueryData(["whoami"], null);
  }, [queries]);
  if (who.isPending) return <div className="signin" role="status" aria-label="Loading" />;
  if (who.error) return <Failure error={who.error} retry={who.refetch} />;
  return who.data ? <Frame who={who.data} /> : <SignIn />;
}

function Frame({ who }: { who: Who }) {
  const [palette, setPalette] = useState(false);
  const [menu, setMenu] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const path = useLocation({ select: (location) => location.pathname });
  useEffect(() => setMenu(false), [path]);
  const leave = () => {
    setMenu(false);
    opener.current?.focus();
  };
  useEffect(() => {
    const handle = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey)) return;
      event.preventDefault();
      setPalette((shown) => !shown);
    };
    window.addEventListener("keydown", handle);
    return () => window.removeEventListener("keydown", handle);
  }, []);
  return (
    <div className={menu ? "app menu" : "app"} onKeyDown={(event) => menu && event.key === "Escape" && leave()}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="top">
        <button ref={opener} type="button" className="btn icon quiet" aria-label="Pages" aria-expanded={menu} aria-controls="sidebar" onClick={() => setMenu(true)}>
          <Icon name="menu" />
        </button>
        <Link to="/" className="brand" aria-label="Mainspring, home">
          <Mark />
          <span>Mainspring</span>
        </Link>
        <button type="button" className="btn icon quiet" aria-label="Search or go to a page" onClick={() => setPalette(true)}>
          <Icon name="search" />
        </button>
      </header>
      {menu && <div className="veil" onClick={leave} />}
      <Sidebar
        who={who}
        shown={menu}
        find={() => {
          setMenu(false);
          setPalette(true);
        }}
      />
      <main id="main" tabIndex={-1} inert={menu}>
        <Outlet />
      </main>
      <Palette opened={palette} close={() => setPalette(false)} />
      <Toasts />
    </div>
  );
}

function Sidebar({ who, shown, find }: { who: Who; shown: boolean; find: () => void }) {
  const nav = useRef<HTMLElement>(null);
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (shown) first.current?.focus();
  }, [shown]);
  const place = useLocation({ select: (location) => location.pathname.split("/")[1] });
  useEffect(() => {
    const here = [...(nav.current?.querySelectorAll("a") ?? [])].find((link) => link.pathname.split("/")[1] === place);
    here?.scrollIntoView({ block: "nearest" });
  }, [place, shown]);
  return (
    <aside className="sidebar" id="sidebar" aria-label="Sidebar">
      <Link to="/" className="brand" aria-label="Mainspring, home">
        <Mark />
        <span>Mainspring</span>
      </Link>
      <div className="scope" title="The project and environment of your key">
        <span className="cut">{who.project}</span>
        <span className="tag" style={{ marginLeft: "auto" }}>
          {who.environment || "all environments"}
        </span>
      </div>
      <button ref={first} type="button" className="find" onClick={find} title="Search or go to a page">
        <Icon name="search" size={14} />
        <span>Search or go to…</span>
        <kbd aria-hidden="true">{MAC ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <nav aria-label="Pages" ref={nav}>
        {PLACES.map((group) => (
          <div className="nav-group" key={group.group}>
            {group.group && <span>{group.group}</span>}
            {group.places.map((place) => (
              <Link
                key={place.to}
                to={place.to}
                className="nav-link"
                activeOptions={{ exact: place.to === "/", includeSearch: false }}
                aria-label={place.label}
              >
                <Icon name={place.icon} />
                <span>{place.label}</span>
              </Link>
            ))}
          </div>
        ))}
      </nav>
      <Foot who={who} />
    </aside>
  );
}

function Foot({ who }: { who: Who }) {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const queries = useQueryClient();
  const dark = colorScheme === "dark" || (colorScheme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  return (
    <div className="sidebar-foot">
      <div className="grow who" style={{ paddingLeft: 8 }}>
        <div className="cut" style={{ fontWeight: 500 }}>
          {who.member}
        </div>
        <div className="faint" style={{ fontSize: 12, lineHeight: "16px" }}>
          {who.role}
        </div>
      </div>
      <button
        type="button"
        className="btn icon quiet"
        aria-label={dark ? "Use light colours" : "Use dark colours"}
        onClick={() => setColorScheme(dark ? "light" : "dark")}
      >
        <Icon name={dark ? "sun" : "moon"} />
      </button>
      <button
        type="button"
        className="btn icon quiet"
        aria-label="Sign out"
        onClick={() => {
          void signOut().then(() => {
            queries.setQueryData(["whoami"], null);
            queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "whoami" });
          });
        }}
      >
        <Icon name="out" />
      </button>
    </div>
  );
}

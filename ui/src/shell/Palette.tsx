import { Modal } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { Icon, type IconName } from "../kit/icons";
import { PLACES } from "./places";
import { match } from "./match";

interface Command {
  label: string;
  kind: string;
  icon: IconName;
  to: string;
  search?: Record<string, string>;
}

/** Cmd+K: every page by name, and whatever looks like an identifier or a reference opened directly. */
export function Palette({ opened, close }: { opened: boolean; close: () => void }) {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  useEffect(() => {
    if (opened) setText("");
  }, [opened]);
  useEffect(() => setAt(0), [text]);
  const found = useMemo(() => commands(text), [text]);
  const go = (command: Command | undefined) => {
    if (!command) return;
    close();
    const [to, query] = command.to.split("?");
    void navigate({ to, search: (command.search ?? Object.fromEntries(new URLSearchParams(query))) as never });
  };
  return (
    <Modal.Root opened={opened} onClose={close} lockScroll={false} padding={0} size={560} yOffset="15vh" transitionProps={{ duration: 80 }}>
      <Modal.Overlay />
      <Modal.Content aria-label="Command palette">
      <input
        className="palette-input"
        placeholder="Go to a page, a trace, a run, dataset/name…"
        aria-label="Search pages and references"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found[at] ? `palette-${at}` : undefined}
        data-autofocus
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setAt((value) => Math.min(found.length - 1, value + 1));
          else if (event.key === "ArrowUp") setAt((value) => Math.max(0, value - 1));
          else if (event.key === "Enter") go(found[at]);
          else return;
          event.preventDefault();
        }}
      />
      <div className="palette-list" id="palette-list" role="listbox" aria-label="Results">
        {found.map((command, index) => (
          <div
            key={`${command.kind}${command.label}`}
            id={`palette-${index}`}
            role="option"
            aria-selected={index === at}
            className="palette-item"
            onMouseMove={() => setAt(index)}
            onClick={() => go(command)}
          >
            <Icon name={command.icon} />
            <span className="cut">{command.label}</span>
            <span className="kind">{command.kind}</span>
          </div>
        ))}
      </div>
      </Modal.Content>
    </Modal.Root>
  );
}

function commands(text: string): Command[] {
  const direct = match(text);
  const pages = PLACES.flatMap((group) => group.places)
    .filter((place) => place.label.toLowerCase().includes(text.trim().toLowerCase()))
    .map((place): Command => ({ label: place.label, kind: "page", icon: place.icon, to: place.to }));
  const search: Command[] = text.trim()
    ? [{ label: `Search traces for “${text.trim()}”`, kind: "search", icon: "search", to: "/traces", search: { query: text.trim() } }]
    : [];
  return [...direct, ...pages, ...search];
}

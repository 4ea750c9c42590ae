"""The vault of one call: what a mask took out of a request, to be put back in the answer for the caller alone."""

from __future__ import annotations

import json
import re
from collections import defaultdict

_PLACE = re.compile(r"\[[A-Z][A-Z0-9_]{0,40}_[1-9][0-9]{0,5}\]")
_OPEN = re.compile(r"\[(?:[A-Z][A-Z0-9_]{0,48})?\Z")


class Vault:
    """Placeholders such as `[EMAIL_1]`, alike for the same value throughout a call."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def __len__(self) -> int:
        return len(self._values)

    def place(self, kind: str, value: str, around: str) -> str:
        """Return the placeholder of a value; never one that the text around it already holds."""
        key = (kind, value)
        forged = 0
        while key not in self._places:
            # Doubled where a text holds them already: one full of them costs a few looks, not one for each.
            self._counts[kind] += max(1, forged * self._counts[kind])
            made = f"[{kind.upper()}_{self._counts[kind]}]"
            forged = int(made in around)
            if not forged:
                self._places[key] = made
                self._values[made] = value
        return self._places[key]

    def restored(self, text: str, *, within_json: bool = False) -> str:
        """Return a text with every placeholder of this call replaced by its value, escaped for a string of JSON."""
        if not self._values or "[" not in text:
            return text

        def value(match: re.Match[str]) -> str:
            found = self._values.get(match.group(), match.group())
            return json.dumps(found, ensure_ascii=False)[1:-1] if within_json else found

        return _PLACE.sub(value, text)


class Restorer:
    """Puts values back in a text that arrives in pieces; an unfinished placeholder, of 50 characters, is held back."""

    def __init__(self, vault: Vault, *, within_json: bool = False) -> None:
        self._vault = vault
        self._within_json = within_json
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take the next piece and return what is ready."""
        text = self._held + piece
        opened = _OPEN.search(text) if len(self._vault) else None
        at = opened.start() if opened else len(text)
        self._held = text[at:]
        return self._vault.restored(text[:at], within_json=self._within_json)

    def finish(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return held

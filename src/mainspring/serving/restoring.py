"""Restoring: what a guard took out of a request, put back in the answer on its way to the caller, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from mainspring.safety.vault import Restorer, Vault
from mainspring.serving.models import Piece


class Restoring:
    """Puts the values of one call's placeholders back, in a whole answer or in the pieces of a stream."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._text = Restorer(vault)
        self._calls: dict[int, Restorer] = {}

    def text(self, text: str) -> str:
        """Return the text of a whole answer with its values."""
        return self._vault.restored(text)

    def calls(self, calls: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return whole tool calls with their values, escaped for the JSON that arguments are."""
        if not len(self._vault):
            return list(calls)
        return [_with_arguments(call, self._vault.restored(_arguments(call), within_json=True)) for call in calls]

    def piece(self, piece: Piece) -> Piece | None:
        """Return the next piece of a stream as far as it is ready, or None."""
        if not len(self._vault):
            return piece
        text = self._text.feed(piece.text)
        calls = [self._fed(call) for call in piece.tool_calls]
        return replace(piece, text=text, tool_calls=calls) if text or calls or piece.finish_reason else None

    def finish(self) -> Piece | None:
        """Return what was held back, or None."""
        text = self._text.finish()
        rests = {index: rest for index, held in self._calls.items() if (rest := held.finish())}
        calls = [{"index": index, "function": {"arguments": rest}} for index, rest in rests.items()]
        return Piece(text=text, tool_calls=calls) if text or calls else None

    def _fed(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        held = self._calls.setdefault(int(call.get("index", 0)), Restorer(self._vault, within_json=True))
        return _with_arguments(call, held.feed(_arguments(call)))


def _arguments(call: Mapping[str, Any]) -> str:
    return str((call.get("function") or {}).get("arguments") or "")


def _with_arguments(call: Mapping[str, Any], arguments: str) -> Mapping[str, Any]:
    function = call.get("function")
    return {**call, "function": {**function, "arguments": arguments}} if function else call

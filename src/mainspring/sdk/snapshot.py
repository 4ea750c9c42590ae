"""A bounded copy of any value in plain JSON types. The application waits for it, so nothing slow is called."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from typing import Any

DEEPEST = 8
MOST = 2_000
"""Values in one copy."""
_MEDIA = 1_000
_SPELLED = (dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID, pathlib.PurePath, BaseException)


class Snapshot:
    """One copy, with the room that is left for it."""

    __slots__ = ("chars", "left")

    def __init__(self, chars: int) -> None:
        self.chars = chars
        """Characters that may still be copied."""
        self.left = MOST

    def copy(self, value: Any, depth: int = 0) -> Any:
        """Return the copy; what there is no room for is named by its type."""
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is int:
            return value if -(1 << 63) <= value < 1 << 63 else self._text(str(value)[:400])
        if kind is float:
            return value if math.isfinite(value) else str(value)
        self.left -= 1
        if depth >= DEEPEST or self.left <= 0 or self.chars <= 0:
            return f"[{kind.__name__}]"
        if isinstance(value, dict):
            return self._pairs(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._items(value, depth)
        return self._object(value, kind, depth)

    def _text(self, text: str) -> str:
        if len(text) > _MEDIA and text.startswith("data:"):
            return f"[{text[5:40].partition(',')[0]}, {len(text)} characters]"
        room = max(self.chars, 0)
        self.chars -= len(text)
        return text if len(text) <= room else text[:room] + " […cut]"

    def _pairs(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in value.copy().items():
            if self.left <= 0 or self.chars <= 0:
                found["…"] = f"{len(value) - len(found)} more"
                break
            self.left -= 1
            name = self._text((key if type(key) is str else str(key) if _plain(key) else type(key).__name__)[:200])
            found[name] = self.copy(item, depth + 1)
        return found

    def _items(self, value: Any, depth: int) -> list[Any]:
        found: list[Any] = []
        for item in list(value) if len(value) <= MOST else list(value)[:MOST]:
            if self.left <= 0 or self.chars <= 0:
                break
            self.left -= 1
            found.append(self.copy(item, depth + 1))
        if len(found) < len(value):
            found.append(f"[… {len(value) - len(found)} more]")
        return found

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        if isinstance(value, bytes | bytearray | memoryview):
            return f"[{len(value)} bytes]"
        if isinstance(value, enum.Enum):
            return self.copy(value.value, depth + 1)
        if isinstance(value, str | int | float):
            base = str if isinstance(value, str) else int if isinstance(value, int) else float
            return self.copy(base.__str__(value) if base is str else base(value), depth)
        if isinstance(value, _SPELLED):
            return self._text(f"{kind.__name__}: {value}" if isinstance(value, BaseException) else str(value))
        names = getattr(kind, "__struct_fields__", None) or getattr(kind, "__dataclass_fields__", None)
        if isinstance(names, tuple | dict):
            return self._pairs({name: getattr(value, name, None) for name in names}, depth)
        if hasattr(kind, "model_fields") and isinstance(getattr(value, "__dict__", None), dict):
            return self._pairs(vars(value), depth)
        return f"[{kind.__module__}.{kind.__qualname__}]"


def _plain(key: Any) -> bool:
    return isinstance(key, int | float | bool | uuid.UUID | enum.Enum) or key is None

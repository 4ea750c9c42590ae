"""The index of one process: vectors of entries in memory, by what their calls share; the records say what is left."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mainspring.kernel.platform import Platform
from mainspring.serving.cache import entries

if TYPE_CHECKING:
    import numpy as np

_SPACES = 256
_VECTORS = 50_000
"""In one space, at most: the newest count."""
_LATE = timedelta(seconds=10)
"""An entry may be committed so much later than its time says."""
_TRIES = 8


@dataclass(slots=True)
class _Space:
    ids: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    rows: list[np.ndarray] = field(default_factory=list)
    until: datetime | None = None
    matrix: np.ndarray | None = None


class Index:
    """Finds the nearest entries, from any thread."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._spaces: OrderedDict[tuple[str, str], _Space] = OrderedDict()

    def nearest(self, project: str, space: str, vector: np.ndarray) -> list[tuple[str, float]]:
        """Return ids with their cosine, nearest first."""
        import numpy as np

        with self._lock:
            held = self._spaces.setdefault((project, space), _Space())
            self._spaces.move_to_end((project, space))
            while len(self._spaces) > _SPACES:
                self._spaces.popitem(last=False)
            self._read(project, space, held)
            if not held.ids:
                return []
            if held.matrix is None:
                held.matrix = np.stack(held.rows)
            matrix, ids = held.matrix, list(held.ids)
        cosines = matrix @ vector
        best = np.argsort(-cosines)[:_TRIES]
        return [(ids[place], float(min(1.0, cosines[place]))) for place in best]

    def drop(self, project: str, space: str, id: str) -> None:
        """Forget an entry that is gone."""
        with self._lock:
            held = self._spaces.get((project, space))
            if held is not None and id in held.known:
                place = held.ids.index(id)
                del held.ids[place], held.rows[place]
                held.known.discard(id)
                held.matrix = None

    def _read(self, project: str, space: str, held: _Space) -> None:
        since = held.until - _LATE if held.until is not None else None
        with self._platform.records.read() as conn:
            for id, at, text in entries.vectors(conn, project, space, since, _VECTORS):
                held.until = at if held.until is None else max(held.until, at)
                if id not in held.known and text:
                    held.known.add(id)
                    held.ids.append(id)
                    held.rows.append(_unit(entries.unpacked(text)))
                    held.matrix = None
        if len(held.ids) > _VECTORS:
            held.known.difference_update(held.ids[:-_VECTORS])
            held.ids, held.rows, held.matrix = held.ids[-_VECTORS:], held.rows[-_VECTORS:], None


def _unit(vector: np.ndarray) -> np.ndarray:
    import numpy as np

    length = float(np.linalg.norm(vector))
    return vector / length if length else vector

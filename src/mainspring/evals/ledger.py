"""Ledger: the answers that a run has paid for. None is lost when the process dies, none is asked for again."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select

from mainspring.evals.tables import calls
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import ChatReply
from mainspring.kernel.tables import canonical

_BATCH, _SECONDS = 200, 2.0
"""Answers, or seconds, after which the journal's answers go into the database."""

BeforeSettling = Callable[[Mapping[str, tuple[ChatReply, int]]], Iterable[str]]
"""Takes answers by their keys, with the moments at which they came; returns the keys that are not its own."""
_NAMES = [field.name for field in dataclasses.fields(ChatReply)]


def _fields(reply: ChatReply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in _NAMES}


def _line(key: str, body: Mapping[str, Any], at_ns: int) -> str:
    return canonical([key, body, at_ns]) + "\n"


class Ledger:
    """A journal in the run's folder that takes each answer at once, and the database that takes them in batches.

    What the journal holds survives the death of the process; the database, that of the machine.
    """

    def __init__(self, job: Job, before: BeforeSettling | None = None) -> None:
        """`before` is called with the answers that are about to go into the database, those of a crash included.

        What it says is not its own stays in the journal besides, for the next ledger of the run.
        """
        self._job = job
        self._before = before
        self._path = job.workdir / "calls.jsonl"
        self._pending = self._left_over()
        self._others = ""
        """Lines of the journal that wait for another ledger of the run."""
        self._settle()
        self._file = self._path.open("r+" if self._path.exists() else "w", encoding="utf-8")
        self._empty()

    def known(self, keys: Sequence[str], *, reuse: bool) -> dict[str, tuple[ChatReply, bool]]:
        """Return the answers to some keys, and whether this run got them itself; `reuse` takes those of any run."""
        found: dict[str, tuple[ChatReply, bool]] = {}
        with self._job.read() as tx:
            for start in range(0, len(keys), 500):
                some = calls.c.key.in_(keys[start : start + 500])
                query = select(calls.c.key, calls.c.run_id, calls.c.reply).where(calls.c.project == tx.project, some)
                if not reuse:
                    query = query.where(calls.c.run_id == self._job.run_id)
                for row in tx.execute(query):
                    own = row.run_id == self._job.run_id
                    if own or row.key not in found:
                        found[row.key] = (ChatReply(**row.reply), own)
        return found

    def add(self, key: str, reply: ChatReply, at_ns: int) -> None:
        """Keep an answer that came at `at_ns` (Unix time); of two to the same key the first stays."""
        if key in self._pending:
            return
        body = _fields(reply)
        self._file.write(_line(key, body, at_ns))
        self._file.flush()
        self._pending[key] = (body, at_ns)
        if len(self._pending) >= _BATCH or time.monotonic() - self._settled_at > _SECONDS:
            self.settle()

    def settle(self) -> None:
        """Move the journal's answers into the database."""
        self._settle()
        self._empty()

    def close(self) -> None:
        """Settle, and let go of the journal."""
        try:
            self.settle()
        finally:
            self._file.close()

    def _empty(self) -> None:
        """Take what is settled out of the journal."""
        self._file.seek(0)
        self._file.write(self._others)
        self._file.truncate()
        self._settled_at = time.monotonic()

    def _settle(self) -> None:
        if not self._pending:
            return
        if self._before is not None:
            others = self._before({key: (ChatReply(**body), at_ns) for key, (body, at_ns) in self._pending.items()})
            self._others += "".join(_line(key, *self._pending[key]) for key in others)
        with self._job.begin() as tx:
            mine = (calls.c.project == tx.project) & (calls.c.run_id == self._job.run_id)
            there = set(tx.execute(select(calls.c.key).where(mine, calls.c.key.in_(list(self._pending)))).scalars())
            facts = {"project": tx.project, "run_id": self._job.run_id, "at": tx.now}
            rows = [
                {**facts, "key": key, "reply": body} for key, (body, _) in self._pending.items() if key not in there
            ]
            if rows:
                tx.execute(insert(calls), rows)
        self._pending.clear()

    def _left_over(self) -> dict[str, tuple[dict[str, Any], int]]:
        """Return what an earlier attempt wrote last; a line that was cut off is dropped."""
        if not self._path.exists():
            return {}
        found = {}
        for line in self._path.read_text(encoding="utf-8", errors="replace").split("\n"):  # an answer may hold U+2028
            try:
                key, body, at_ns = json.loads(line)
                ChatReply(**body)
                found[str(key)] = (body, int(at_ns))
            except (ValueError, TypeError):
                continue
        return found

"""Ledger: the answers that a run has paid for. None is lost when the process dies, none is asked for again."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select

from mainspring.evals.tables import calls
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import ChatReply
from mainspring.kernel.tables import canonical

_BATCH, _SECONDS = 200, 2.0
"""Answers, or seconds, after which the journal's answers go into the database."""


class Ledger:
    """A journal in the run's folder that takes each answer at once, and the database that takes them in batches.

    What the journal holds survives the death of the process; the database, that of the machine.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._path = job.workdir / "calls.jsonl"
        self._pending = dict(self._left_over())
        self._settle()
        self._file = self._path.open("w", encoding="utf-8")
        self._settled_at = time.monotonic()

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

    def add(self, key: str, reply: ChatReply) -> None:
        """Keep an answer; of two to the same key the first stays."""
        if key in self._pending:
            return
        body = dataclasses.asdict(reply)
        self._file.write(canonical([key, body]) + "\n")
        self._file.flush()
        self._pending[key] = body
        if len(self._pending) >= _BATCH or time.monotonic() - self._settled_at > _SECONDS:
            self.settle()

    def settle(self) -> None:
        """Move the journal's answers into the database."""
        self._settle()
        self._file.seek(0)
        self._file.truncate()
        self._settled_at = time.monotonic()

    def close(self) -> None:
        """Settle, and let go of the journal."""
        try:
            self.settle()
        finally:
            self._file.close()

    def _settle(self) -> None:
        if not self._pending:
            return
        with self._job.begin() as tx:
            mine = (calls.c.project == tx.project) & (calls.c.run_id == self._job.run_id)
            there = set(tx.execute(select(calls.c.key).where(mine, calls.c.key.in_(list(self._pending)))).scalars())
            facts = {"project": tx.project, "run_id": self._job.run_id, "at": tx.now}
            rows = [{**facts, "key": key, "reply": body} for key, body in self._pending.items() if key not in there]
            if rows:
                tx.execute(insert(calls), rows)
        self._pending.clear()

    def _left_over(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what an earlier attempt wrote last; a line that was cut off is dropped."""
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                key, body = json.loads(line)
                ChatReply(**body)
            except (ValueError, TypeError):
                continue
            found.append((key, body))
        return found

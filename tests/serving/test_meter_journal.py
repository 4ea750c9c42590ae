"""The journal of metering on a disk that is full: no line that was written is lost, and none is joined to another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mainspring.kernel.errors import Unavailable
from mainspring.serving.metering.journal import Journal, abandoned
from mainspring.serving.metering.models import Amounts, Payer

PAYER, HOUR, ONE = Payer("default"), "2026-11-27T07:00:00+00:00", Amounts(requests=1)


def lines_of(folder: Path) -> list[tuple[str, str]]:
    """Return what the journal of a process that is gone tells."""
    with abandoned(folder) as found:
        assert found is not None
        return [(entry.kind, entry.call) for entry in found.entries]


def test_a_long_journal_stays_where_there_is_no_room_for_a_shorter_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, write, refuses = Journal(tmp_path, "one"), os.write, [False]

    def full(file: int, data: bytes) -> int:
        if refuses[0]:
            raise OSError(28, "No space left on device")
        return write(file, data[: len(data) // 2])

    for call in ("a", "b"):
        journal.hold(call, PAYER, HOUR, ONE, [])
    journal.settle("a", PAYER, HOUR, ONE, [])
    monkeypatch.setattr("mainspring.serving.metering.journal._LONGEST", 1)
    monkeypatch.setattr(os, "write", full)
    files = len(list(Path("/proc/self/fd").iterdir()))
    for refused in (False, True):
        refuses[0] = refused
        journal.shorten(0)
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    monkeypatch.setattr(os, "write", write)
    journal.hold("c", PAYER, HOUR, ONE, [])
    journal.close(remove=False)
    assert lines_of(tmp_path / "one") == [("held", "a"), ("held", "b"), ("settled", "a"), ("held", "c")]


def test_a_line_that_is_cut_off_is_not_continued_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, write, room = Journal(tmp_path, "one"), os.write, [20]

    def full(file: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(file, data[: room[0]])
        room[0] -= written
        return written

    journal.hold("a", PAYER, HOUR, ONE, [])
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for _ in range(2):
            with pytest.raises(Unavailable, match="cannot be noted"):
                journal.hold("b", PAYER, HOUR, ONE, [])
    journal.hold("c", PAYER, HOUR, ONE, [])
    journal.close(remove=False)
    assert lines_of(tmp_path / "one") == [("held", "a"), ("held", "c")]


def test_what_is_settled_and_applied_leaves_a_long_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal: Any = Journal(tmp_path, "one")
    for call in ("a", "b"):
        journal.hold(call, PAYER, HOUR, ONE, [])
    journal.settle("a", PAYER, HOUR, ONE, [])
    monkeypatch.setattr("mainspring.serving.metering.journal._LONGEST", 1)
    journal.shorten(journal.number)
    journal.settle("b", PAYER, HOUR, ONE, [])
    journal.close(remove=False)
    assert lines_of(tmp_path / "one") == [("held", "b"), ("settled", "b")]

"""Erasure from the word index of SQLite: in steps, between which others write, and to its end whatever happens."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import apsw
import pytest

from mainspring.backends.spans_sqlite import SqliteSpans, purging
from mainspring.backends.spans_sqlite import store as module
from mainspring.kernel.spans import Span, SpanFilter

SECRET = "zzyzxsecretword"
START = 1_790_000_000 * 10**9


def made(number: int, text: str = "") -> Span:
    chance = random.Random(number)
    words = " ".join(f"w{chance.randrange(10**9):x}" for _ in range(60))
    return Span(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        project="default",
        name="chat",
        start_ns=START + number,
        end_ns=START + number + 5,
        input=f"{words} {text}".strip(),
    )


def written(folder: Path) -> bytes:
    """Return what stands in the files."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def indexed(folder: Path) -> bytes:
    """Return what stands in the word index."""
    file = apsw.Connection(str(folder / "spans.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return b"".join(block for (block,) in file.execute("SELECT block FROM texts_data"))
    finally:
        file.close()


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(purging, "PAGES", 4)
    store = SqliteSpans(tmp_path)
    for at in range(1, 1_501, 300):
        store.append([made(number, SECRET if number == 700 else "") for number in range(at, at + 300)])
        store.flush()
    yield store
    store.close()


def test_others_write_while_words_are_dropped(filled: SqliteSpans, tmp_path: Path) -> None:
    running, stop = threading.Event(), threading.Event()

    def write() -> None:
        for number in range(2_000, 4_000):
            filled.append([made(number)])
            running.set()
            if stop.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    assert running.wait(120)
    assert filled.delete("default", [f"{700:032x}", f"{1_200:032x}"]) == 2
    stop.set()
    writer.join()
    filled.flush()
    assert SECRET.encode() not in written(tmp_path)
    assert filled.traces("default", SpanFilter(query=SECRET), limit=5)[0] == []
    kept = made(701).input.split()[3]
    assert [line.trace_id for line in filled.traces("default", SpanFilter(query=kept), limit=5)[0]] == [f"{701:032x}"]


def test_an_erasure_that_was_cut_off_is_finished_by_the_next(
    filled: SqliteSpans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def cut_off(connection, writing):
        nonlocal steps
        looked = purging.marked

        def few(connection):
            nonlocal steps
            steps += 1
            if steps > 3:
                raise ConnectionAbortedError("the machine is gone")
            return looked(connection)

        with monkeypatch.context() as patched:
            patched.setattr(purging, "marked", few)
            purging.drop_erased(connection, writing)

    with monkeypatch.context() as patched:
        patched.setattr(module, "drop_erased", cut_off)
        with pytest.raises(ConnectionAbortedError):
            filled.delete("default", [f"{700:032x}"])
    assert steps == 4 and SECRET.encode() in indexed(tmp_path)
    assert filled.delete("default", [f"{700:032x}"]) == 0
    assert SECRET.encode() not in written(tmp_path)
    before = filled.stats()
    assert filled.delete("default", [f"{9_999:032x}"]) == 0 and filled.stats()["spans"] == before["spans"] == 1_499

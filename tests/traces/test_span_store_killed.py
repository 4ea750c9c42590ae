"""The span store when its process is killed again and again in the midst of ingest."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import Span, SpanFilter

pytestmark = pytest.mark.slow
TIMES = 50


def batch(number: int) -> list[Span]:
    """Return four spans of one trace; the first comes again in the next batch, as an exporter repeats itself."""
    ids = [(number, 1), (number, 2), (number, 3), (max(1, number - 1), 1)]
    return [
        Span(
            trace_id=f"{trace:032x}",
            span_id=f"{trace * 10 + place:016x}",
            parent_id="" if place == 1 else f"{trace * 10 + 1:016x}",
            project="default",
            start_ns=trace,
            end_ns=trace + place,
            input="word " * 50,
            input_tokens=1,
        )
        for trace, place in ids
    ]


def ingest(folder: Path, first: int, told: int) -> None:
    """Append until killed, and tell the number of each batch that was acknowledged."""
    store = SqliteSpans(folder)
    number = first
    while True:
        store.append(batch(number))
        os.write(told, number.to_bytes(4, "big"))
        number += 1


def killed_once(folder: Path, first: int, acknowledged: int) -> int:
    """Let a process ingest, kill it once it has acknowledged so many batches, and return the last it did."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ingest(folder, first, told)
        finally:
            os._exit(1)
    os.close(told)
    last = first - 1
    while len(word := os.read(heard, 4)) == 4:
        last = int.from_bytes(word, "big")
        if last - first + 1 >= acknowledged:
            os.kill(child, signal.SIGKILL)
    os.close(heard)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    return last


def test_fifty_kills_lose_and_double_nothing_that_was_acknowledged(tmp_path):
    chance = random.Random(5)
    last = 0
    for _ in range(TIMES):
        last = killed_once(tmp_path, last + 1, chance.randint(1, 40))
    store = SqliteSpans(tmp_path)
    try:
        found = [span.span_id for span in store.scan("default", SpanFilter(), limit=1_000_000)]
        wanted = {f"{trace * 10 + place:016x}" for trace in range(1, last + 1) for place in (1, 2, 3)}
        assert len(found) == len(set(found)) and wanted <= set(found)
        assert len(found) <= len(wanted) + 3 * TIMES
        assert sum(hour.spans for hour in store.usage("default", SpanFilter())) == len(found)
        assert sum(hour.input_tokens for hour in store.usage("default", SpanFilter())) == len(found)
        lines, _ = store.traces("default", SpanFilter(), limit=1_000)
        assert {line.spans for line in lines} == {3}
    finally:
        store.close()

"""Searches of the SQLite store for several words at once, held against what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring.backends.spans_sqlite import SqliteSpans
from mainspring.kernel.spans import Span, SpanFilter

SECOND = 10**9
LAST = 1_500
SAID: dict[str, Callable[[int], bool]] = {
    "always": lambda n: True,
    "even": lambda n: n % 2 == 0,
    "odd": lambda n: n % 2 == 1,
    "dozen": lambda n: n % 12 == 0,
    "old": lambda n: n <= 400,
    "lately": lambda n: n > 900,
    "bursting": lambda n: 100 < n <= 130 or 800 < n <= 1_000,
    "once": lambda n: n == 3,
    "elsewhere": lambda n: n in (5, 1_499),
    "gold ring": lambda n: n % 3 == 0,
    "ring of gold": lambda n: n % 3 == 1,
    "Zoë-7@example.org": lambda n: n in (9, 650),
    "latent": lambda n: n % 250 == 0,
}
LATER: dict[str, Callable[[int], bool]] = {
    "again": lambda n: n % 5 == 0,
    "afterwards": lambda n: n % 50 == 0,
}
"""What a second span says, which comes once the first is indexed."""


def made(number: int, span: int, words: dict[str, Callable[[int], bool]]) -> Span:
    return Span(
        trace_id=f"{number:032x}",
        span_id=f"{span:016x}",
        project="default",
        name="chat",
        start_ns=number * SECOND,
        end_ns=number * SECOND + 5,
        input=", ".join(word for word, stands in words.items() if stands(number)),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteSpans]:
    folder: Path = tmp_path_factory.mktemp("spans")
    store = SqliteSpans(folder)
    store.append([made(number, 1, SAID) for number in range(1, LAST + 1)])
    store.flush()
    store.append([made(number, 2, LATER) for number in range(1, LAST + 1) if number % 5 == 0])
    store.flush()
    yield store
    store.close()


def found(store: SqliteSpans, query: str, limit: int) -> list[int]:
    """Return the numbers of all traces found, page after page."""
    numbers: list[int] = []
    cursor = ""
    while True:
        lines, cursor = store.traces("default", SpanFilter(query=query), limit=limit, cursor=cursor)
        numbers += [int(line.trace_id, 16) for line in lines]
        if not cursor:
            return numbers


EVERY = {**SAID, **LATER}


@pytest.mark.parametrize("limit", [60, 2_000])
@pytest.mark.parametrize(
    "words",
    [
        ("always", "even"),
        ("even", "odd"),
        ("old", "lately"),
        ("lately", "old", "always"),
        ("bursting", "old"),
        ("always", "once"),
        ("once", "always"),
        ("once", "elsewhere"),
        ("bursting", "dozen", "even"),
        ("dozen", "odd"),
        ("even", "again"),
        ("again", "afterwards", "dozen"),
        ("afterwards", "always"),
        ("once", "again"),
        ("elsewhere", "again"),
        ("always", "Zoë-7@example.org"),
        ("Zoë-7@example.org", "odd"),
    ],
    ids=" ".join,
)
def test_every_trace_that_holds_all_words_is_found_once_and_in_order(
    store: SqliteSpans, words: tuple[str, ...], limit: int
) -> None:
    expected = [n for n in range(LAST, 0, -1) if all(EVERY[word](n) for word in words)]
    assert found(store, " ".join(words), limit) == expected


@pytest.mark.parametrize(
    ("query", "stands"),
    [
        ("gold-ring", SAID["gold ring"]),
        ("ring-of-gold", SAID["ring of gold"]),
        ("gold-ring even", lambda n: n % 6 == 0),
        ("gold-ring ring-of-gold", lambda n: False),
        ("once gold-ring", SAID["once"]),
        ("zoe-7@example.org", SAID["Zoë-7@example.org"]),
        ("zoe-7@exam*", SAID["Zoë-7@example.org"]),
        ("example-zoe", lambda n: False),
        ("lat*", lambda n: n > 900 or n % 250 == 0),
        ("laten* always", SAID["latent"]),
        ("a* after*", LATER["afterwards"]),
        ("onc* alw*", SAID["once"]),
        ("always nowhere", lambda n: False),
        ("always always", SAID["always"]),
        ("gold gold-ring", SAID["gold ring"]),
        ("always ²", lambda n: False),
    ],
)
def test_words_that_stand_together_or_only_begin_so(
    store: SqliteSpans, query: str, stands: Callable[[int], bool]
) -> None:
    assert found(store, query, 70) == [n for n in range(LAST, 0, -1) if stands(n)]


def test_a_word_whose_traces_were_erased_is_found_no_more(tmp_path: Path) -> None:
    store = SqliteSpans(tmp_path)
    store.append([made(number, 1, SAID) for number in range(1, 301)])
    store.delete("default", [f"{number:032x}" for number in range(101, 301) if number % 4])
    kept = [n for n in range(300, 0, -1) if n <= 100 or n % 4 == 0]
    assert found(store, "always even", 50) == [n for n in kept if n % 2 == 0]
    assert found(store, "odd always", 50) == [n for n in kept if n % 2]
    store.close()

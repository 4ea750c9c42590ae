"""Files become rows, or an error that names the row."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.data.importers import read_rows, sniff, to_row
from mainspring.data.rows import Writer
from mainspring.kernel.errors import Invalid

MARKS = '{}[]":,\\ntexmsg0\n'


def roles(value: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in to_row(value, 1).messages]


def test_known_shapes() -> None:
    pair = [("user", "q"), ("assistant", "a")]
    assert roles({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}) == pair
    assert roles({"prompt": "q", "completion": "a"}) == pair
    assert roles({"prompt": "q", "chosen": "a", "rejected": "b"}) == pair
    assert roles({"instruction": "q", "input": "", "output": "a"}) == pair
    assert roles({"instruction": "q", "input": "x", "output": "a"}) == [("user", "q\n\nx"), ("assistant", "a")]
    assert roles({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}) == pair
    assert roles({"system": "s", "prompt": "q"}) == [("system", "s"), ("user", "q")]
    assert roles({"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}]}) == [("user", "q")]
    assert to_row({"text": "plain"}, 1).text == "plain"


def test_what_is_known_besides_is_kept() -> None:
    row = to_row({"prompt": "q", "chosen": "a", "rejected": "b", "label": 3, "source": "x", "meta": {"y": 1}}, 7)
    assert (row.id, row.label, row.meta) == ("r7", "3", {"y": 1, "source": "x", "rejected": "b"})


def test_mapping() -> None:
    value = {"question": "q", "answer": "a", "topic": "t", "extra": 1}
    row = to_row(value, 1, {"prompt": "question", "completion": "answer", "label": "topic"})
    assert [message.content for message in row.messages] == ["q", "a"]
    assert (row.label, row.meta) == ("t", {"extra": 1})
    with pytest.raises(Invalid, match=r"Row 4.*'nowhere'"):
        to_row(value, 4, {"prompt": "nowhere"})


def test_files(tmp_path: Path) -> None:
    lines = tmp_path / "a"
    lines.write_text('\ufeff{"text": "one"}\n\n{"text": "two"}\n', encoding="utf-8")
    assert [(number, row.text) for number, row in read_rows(lines)] == [(1, "one"), (3, "two")]
    listed = tmp_path / "b"
    listed.write_text(json.dumps([{"text": "one"}]))
    assert sniff(listed) == "json"
    assert [row.text for _, row in read_rows(listed)] == ["one"]
    table = tmp_path / "c"
    table.write_text('prompt,completion,label\n"a, b","line\nbreak",x\n')
    assert [(row.messages[1].content, row.label) for _, row in read_rows(table)] == [("line\nbreak", "x")]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "d"
    parquet.write_table(
        pyarrow.table({"prompt": ["q", "r"], "completion": ["a", "b"], "day": [date(2026, 1, 2), None]}), path
    )
    assert sniff(path) == "parquet"
    rows = [row for _, row in read_rows(path)]
    assert [row.messages[0].content for row in rows] == ["q", "r"]
    assert [row.meta for row in rows] == [{"day": "2026-01-02"}, {}]
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(Invalid, match="Parquet"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\n{"text": \n', "Row 2 is not valid JSON"),
        (b'{"text": "a"}\n[1]\n', "Row 2 is not a JSON object"),
        (b'{"text": "a"}\n{"text": "\xff"}\n', "Row 2 is not UTF-8"),
        (b'{"text": NaN}\n', "Row 1 is not valid JSON: NaN"),
        (b'{"text": "a"}\n{"color": "red"}\n', "Row 2 has the keys color"),
        (b'{"messages": []}\n', "Row 1: `messages`"),
        (b'{"messages": [{"role": "wizard", "content": "x"}]}\n', r"Row 1: messages.0.role"),
        (b'{"conversations": [{"from": "wizard", "value": "x"}]}\n', "Row 1: the speaker"),
        (b'{"prompt": {"a": 1}, "completion": "x"}\n', "Row 1: messages.0.content"),
        (b'{"text": "a", "split": "exam"}\n', "Row 1: split"),
        (b'{"text": "a", "id": "no spaces"}\n', "Row 1: id"),
        (b"[{}", "not valid JSON"),
        (b"[1]", "Row 1 is not a JSON object"),
        (b"prompt,completion\na,b\nc\n", "Row 2 has not 2 fields"),
        (b'prompt,completion\na,"b\n', "Row 1"),
        (b"", "no rows"),
        (b"\n\n", "no rows"),
    ],
)
def test_errors_name_the_row(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=message):
        list(read_rows(path))


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200) | st.text(alphabet=MARKS, max_size=80).map(str.encode))
def test_any_bytes_are_rows_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "file"
    path.write_bytes(content)
    for format in ("auto", "jsonl", "json", "csv", "tsv"):
        try:
            writer = Writer()
            for number, row in read_rows(path, format):  # type: ignore[arg-type]
                writer.add(row, f"Row {number}")
        except Invalid as error:
            assert error.message and error.hint


@pytest.mark.parametrize("value", ['"\\ud800"', "1e999", "[" * 400 + "]" * 400])
def test_what_cannot_be_stored_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "odd"
    path.write_text('{"text": "a", "meta": {"x": ' + value + "}}")
    with pytest.raises(Invalid, match="Row 1"):
        for number, row in read_rows(path):
            Writer().add(row, f"Row {number}")


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep"
    path.write_text('{"text": ' + "[" * 100_000)
    with pytest.raises(Invalid, match="Row 1"):
        list(read_rows(path))

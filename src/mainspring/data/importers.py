"""Importers: the formats that data comes in, each turned into rows. An error names the row that it stands in."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from mainspring.data.models import Row
from mainspring.kernel.errors import Invalid, MissingExtra

Format = Literal["auto", "jsonl", "json", "csv", "tsv", "parquet"]
Value = Mapping[str, Any]

_LONGEST_LINE = 16 << 20
_OWN = ("id", "reference", "label", "group", "split", "meta")
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant"}
_ROLES |= {"bot": "assistant", "model": "assistant", "system": "system", "tool": "tool", "function": "tool"}
_ROLES |= {"developer": "developer", "observation": "tool", "function_call": "assistant"}
MAPPED = ("id", "messages", "text", "system", "prompt", "completion", "reference", "label", "group", "split")
"""What a mapping can name a column for."""


def read_rows(
    path: Path, format: Format = "auto", mapping: Mapping[str, str] | None = None
) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a file, each with its number in the file, from 1.

    `mapping` says which column or key holds what, as in `{"prompt": "question", "completion": "answer"}`; its keys are
    those of MAPPED. Columns that are not used are kept in `meta`. Rows without an id get `r1`, `r2`, … by position.
    Raises Invalid, naming the row, for anything that is no row; MissingExtra for Parquet without pyarrow.
    """
    for unknown in set(mapping or {}) - set(MAPPED):
        raise Invalid(f"The mapping names {unknown!r}.", hint=f"It can name {', '.join(MAPPED)}.")
    format = sniff(path) if format == "auto" else format
    number = 0
    for number, value in _READERS[format](path):
        yield number, to_row(value, number, mapping or {})
    if not number:
        raise Invalid("The file holds no rows.", hint="Give a file with at least one row.")


def sniff(path: Path) -> Format:
    """Guess the format from the first bytes: Parquet's mark, JSON, or else CSV."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.decode("utf-8", errors="ignore").lstrip("\ufeff \t\r\n")
    if text.startswith("["):
        return "json"
    if text.startswith("{"):
        return "jsonl"
    first = text.partition("\n")[0]
    return "tsv" if first.count("\t") > first.count(",") else "csv"


def to_row(value: Value, number: int, mapping: Mapping[str, str] | None = None) -> Row:
    """Turn one record of any known shape into a row. Raises Invalid, naming the row."""
    try:
        given = _mapped(value, mapping or {})
        for keys, convert in _SHAPES:
            if keys <= given.keys() and all(given[key] is not None for key in keys):
                return _row(given, number, *convert(given))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Invalid(f"Row {number}: {place}: {first['msg']}.", hint="Mend that row; nothing was imported.") from None
    except (TypeError, ValueError, KeyError) as error:
        raise Invalid(f"Row {number}: {error}.", hint="Mend that row; nothing was imported.") from None
    known = "messages; text; prompt and completion; instruction and output; conversations"
    raise Invalid(
        f"Row {number} has the keys {', '.join(sorted(map(str, value)))[:200]}, of which no row can be made.",
        hint=f"Known shapes: {known}. Or give a mapping.",
    )


def _mapped(value: Value, mapping: Mapping[str, str]) -> dict[str, Any]:
    given = dict(value)
    if not mapping:
        return given
    missing = [column for column in mapping.values() if column not in given]
    if missing:
        raise ValueError(f"there is no column {missing[0]!r}; there are {', '.join(map(str, value))[:200]}")
    taken = {name: given[column] for name, column in mapping.items()}
    rest = {key: item for key, item in given.items() if key not in mapping.values() and key not in taken}
    return {**taken, "meta": {**rest.pop("meta", {}), **rest}} if rest else taken


Parts = tuple[dict[str, Any], set[str]]


def _messages(given: Value) -> Parts:
    messages = given["messages"]
    if not isinstance(messages, list) or not messages:
        raise ValueError("`messages` is not a list with at least one message")
    return {"messages": [_message(one) for one in messages]}, {"messages"}


def _message(one: Any) -> dict[str, Any]:
    if not isinstance(one, dict) or "role" not in one:
        raise ValueError("a message is not an object with a role")
    content = one.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if content is None and one.get("tool_calls"):
        content = json.dumps(one["tool_calls"], ensure_ascii=False)
    return {"role": one["role"], "content": content}


def _conversations(given: Value) -> Parts:
    turns = []
    for turn in given["conversations"]:
        role = _ROLES.get(str(turn["from"]).lower())
        if role is None:
            raise ValueError(f"the speaker {turn['from']!r} is not known")
        turns.append({"role": role, "content": turn["value"]})
    return {"messages": turns}, {"conversations"}


def _alpaca(given: Value) -> Parts:
    asked = "\n\n".join(filter(None, (given["instruction"], given.get("input"))))
    return {"messages": _turns(given, asked, given["output"])}, {"instruction", "input", "output", "system"}


def _prompt(given: Value) -> Parts:
    prompt, answer = given["prompt"], given["completion"]
    if isinstance(prompt, list) and isinstance(answer, list):
        return {"messages": [_message(one) for one in [*prompt, *answer]]}, {"prompt", "completion"}
    return {"messages": _turns(given, prompt, answer)}, {"prompt", "completion", "system"}


def _preference(given: Value) -> Parts:
    prompt, chosen, used = given["prompt"], given["chosen"], {"prompt", "chosen", "system"}
    if isinstance(chosen, list):
        before = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        return {"messages": [_message(one) for one in [*before, *chosen[-1:]]]}, used
    return {"messages": _turns(given, prompt, chosen)}, used


def _asked(given: Value) -> Parts:
    return {"messages": _turns(given, given["prompt"], None)}, {"prompt", "system"}


def _text(given: Value) -> Parts:
    return {"text": given["text"]}, {"text"}


def _turns(given: Value, asked: Any, answer: Any) -> list[dict[str, Any]]:
    turns = [{"role": "system", "content": given["system"]}] if given.get("system") else []
    turns.append({"role": "user", "content": asked})
    return turns if answer is None else [*turns, {"role": "assistant", "content": answer}]


_SHAPES: tuple[tuple[set[str], Callable[[Value], Parts]], ...] = (
    ({"messages"}, _messages),
    ({"conversations"}, _conversations),
    ({"prompt", "chosen", "rejected"}, _preference),
    ({"prompt", "completion"}, _prompt),
    ({"instruction", "output"}, _alpaca),
    ({"prompt"}, _asked),
    ({"text"}, _text),
)
"""Keys that mark a shape, the most telling first, and what makes a row of it."""


def _row(given: Value, number: int, parts: dict[str, Any], used: set[str]) -> Row:
    own = {key: given[key] for key in _OWN if given.get(key) not in (None, "")}
    rest = {key: item for key, item in given.items() if key not in used and key not in _OWN and key not in MAPPED}
    meta = own.pop("meta", {})
    if not isinstance(meta, dict):
        raise ValueError("`meta` is not an object")
    own["id"] = str(own.get("id", f"r{number}"))
    if isinstance(own.get("label"), bool | int | float):
        own["label"] = str(own["label"])
    return Row.model_validate({**parts, **own, "meta": {**meta, **{k: v for k, v in rest.items() if v is not None}}})


def _jsonl(path: Path) -> Iterator[tuple[int, Value]]:
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), start=1):
            if len(line) > _LONGEST_LINE:
                raise Invalid(
                    f"Row {number} is longer than {_LONGEST_LINE >> 20} MiB.", hint="Cut it into shorter ones."
                )
            if line.strip():
                yield number, _object(line, number)


def _object(line: bytes, number: int) -> Value:
    try:
        value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Invalid(f"Row {number} is not UTF-8 (byte {error.start}).", hint="Save the file as UTF-8.") from None
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        message = f"{error.msg} (column {error.colno})" if isinstance(error, json.JSONDecodeError) else str(error)
        raise Invalid(f"Row {number} is not valid JSON: {message}.", hint="Each line is one JSON object.") from None
    if not isinstance(value, dict):
        raise Invalid(f"Row {number} is not a JSON object.", hint="Each line is one JSON object.")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _json(path: Path) -> Iterator[tuple[int, Value]]:
    try:
        rows = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, ValueError) as error:
        raise Invalid(f"The file is not valid JSON: {error}.", hint="Give a list of objects, or JSON lines.") from None
    if not isinstance(rows, list):
        raise Invalid("The file is not a list.", hint="Give a list of objects, or JSON lines.")
    for number, value in enumerate(rows, start=1):
        if not isinstance(value, dict):
            raise Invalid(f"Row {number} is not a JSON object.", hint="Give a list of objects.")
        yield number, value


def _csv(path: Path, delimiter: str = ",") -> Iterator[tuple[int, Value]]:
    csv.field_size_limit(_LONGEST_LINE)
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            for number, value in enumerate(reader, start=1):
                if None in value or None in value.values():
                    raise Invalid(
                        f"Row {number} has not {len(reader.fieldnames or [])} fields (line {reader.line_num}).",
                        hint="Each row needs as many fields as the header names.",
                    )
                yield number, value
    except UnicodeDecodeError:
        raise Invalid(f"The file is not UTF-8 after row {number}.", hint="Save the file as UTF-8.") from None
    except csv.Error as error:
        raise Invalid(f"Row {number + 1}: {error}.", hint="Mend that row; nothing was imported.") from None


def _parquet(path: Path) -> Iterator[tuple[int, Value]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtra("Parquet needs pyarrow.", hint="pip install 'mainspring[parquet]'") from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1000):
                for value in batch.to_pylist():
                    number += 1
                    yield number, {name: _jsonable(item) for name, item in value.items()}
    except ArrowException as error:
        raise Invalid(f"The Parquet file cannot be read after row {number}: {error}.", hint="Write it again.") from None


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    # Dates, decimals and bytes have no form in JSON but their text.
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, Value]]]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "tsv": lambda path: _csv(path, "\t"),
    "parquet": _parquet,
}

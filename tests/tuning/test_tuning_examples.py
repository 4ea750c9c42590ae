"""Conversations as token ids, and the order in which training sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.kernel.errors import Invalid
from mainspring.registry.tokenizer import load_tokenizer
from mainspring.tuning.examples import IGNORED, Example, encode, encode_rows, schedule


def chat(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def test_only_the_answer_and_its_end_are_learned(tiny: Path) -> None:
    tokenizer = load_tokenizer(tiny)
    example = encode(tokenizer, "r1", chat("why?", " because"))
    assert (
        tokenizer.decode(example.ids[: example.prompt]) == "<|im_start|>user\nwhy?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokenizer.decode(example.ids[example.prompt :]) == " because<|im_end|>"
    assert example.labels[: example.prompt] == [IGNORED] * example.prompt
    assert example.labels[-1] == tokenizer.eos, "the end is learned, or the model would never stop"


def test_the_prompt_is_encoded_as_a_server_meets_it(tiny: Path) -> None:
    tokenizer = load_tokenizer(tiny)
    example = encode(tokenizer, "r1", chat("x", "\nhe"))
    served = tokenizer.encode(tokenizer.render(chat("x", "")[:1], generate=True))
    assert list(example.ids[: example.prompt]) == served


@pytest.mark.parametrize("messages", [[], [{"role": "user", "content": "x"}], [{"role": "assistant", "content": None}]])
def test_a_row_without_an_answer_is_refused_by_its_id(tiny: Path, messages: list[dict[str, str]]) -> None:
    with pytest.raises(Invalid, match="r7"):
        encode(load_tokenizer(tiny), "r7", messages)


def test_long_rows_are_left_out_and_counted(tiny: Path) -> None:
    rows = [("short", chat("a", "b")), ("long", chat("a", "b" * 300))]
    kept, left_out = encode_rows(load_tokenizer(tiny), rows, max_tokens=100)
    assert [example.row for example in kept] == ["short"]
    assert left_out == 1


def numbered(lengths: list[int]) -> list[Example]:
    return [Example(str(index), tuple(range(length)), 1) for index, length in enumerate(lengths)]


@given(st.lists(st.integers(2, 60), min_size=1, max_size=80), st.integers(1, 9), st.integers(1, 60), st.integers(0, 9))
def test_the_schedule_is_whole_and_the_same_each_time(lengths: list[int], batch: int, steps: int, seed: int) -> None:
    examples = numbered(lengths)
    found = schedule(examples, batch, steps, seed)
    assert found == schedule(examples, batch, steps, seed)
    assert len(found) == steps
    assert all(len(each) == batch for each in found)
    seen = [example.row for each in found for example in each]
    if len(seen) >= len(examples) + batch:
        assert set(seen) == {example.row for example in examples}, "a pass leaves no row out"


def test_rows_of_one_length_stand_together() -> None:
    found = schedule(numbered([10, 50] * 64), 8, 16, 0)
    assert all(len({len(example.ids) for example in batch}) == 1 for batch in found)


def test_nothing_to_learn_is_an_invalid_input() -> None:
    with pytest.raises(Invalid, match="no row"):
        schedule([], 8, 10, 0)

"""Examples: conversations as token ids, and the order in which training sees them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.registry.tokenizer import Tokenizer

Messages = Sequence[Mapping[str, JSON]]

IGNORED = -100
"""Label of a position that is not learned; never the padding id, which is a real token of many models."""
_POOL = 16
"""Batches that are drawn together and sorted by length, so that a batch holds rows of about one length."""


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation, ready to be learned."""

    row: str
    """Id of the row."""
    ids: tuple[int, ...]
    """Prompt and answer, the token that ends it included."""
    prompt: int
    """Number of leading ids that are prompt."""

    @property
    def labels(self) -> list[int]:
        """The ids, with the prompt masked: the loss is on the answer only."""
        return [IGNORED] * self.prompt + list(self.ids[self.prompt :])


def encode(tokenizer: Tokenizer, row: str, messages: Messages) -> Example:
    """Encode a conversation whose last message is the assistant's answer. Raises Invalid for any other.

    Prompt and answer are encoded apart, for that is how a server meets them.
    """
    if not messages or messages[-1].get("role") != "assistant" or not isinstance(messages[-1].get("content"), str):
        raise Invalid(f"Row {row} does not end with an assistant's message of text.")
    prompt = tokenizer.render(messages[:-1], generate=True)
    answer = str(messages[-1]["content"]) + tokenizer.eos_token
    if not tokenizer.render(messages).startswith(prompt + answer):
        raise Invalid(f"The chat template writes row {row} differently when the answer is to be made.")
    head, tail = tokenizer.encode(prompt), tokenizer.encode(answer)
    return Example(row=row, ids=(*head, *tail), prompt=len(head))


def encode_rows(
    tokenizer: Tokenizer, rows: Sequence[tuple[str, Messages]], max_tokens: int
) -> tuple[list[Example], int]:
    """Encode rows (id, messages); return the examples, and how many were left out for their length."""
    examples = [encode(tokenizer, row, messages) for row, messages in rows]
    kept = [example for example in examples if len(example.ids) <= max_tokens]
    return kept, len(examples) - len(kept)


def schedule(examples: Sequence[Example], batch: int, steps: int, seed: int) -> list[list[Example]]:
    """Return the batch of each step: whole passes in random order, rows of similar length together.

    The same arguments give the same schedule, so that a run that was cut off goes on where it was.
    Raises Invalid where there is nothing to learn.
    """
    if not examples:
        raise Invalid("There is no row to learn from.", hint="Check the split's name, and max_tokens.")
    draw = random.Random(seed)  # noqa: S311
    batches: list[list[Example]] = []
    while len(batches) < steps:
        order = draw.sample(range(len(examples)), len(examples))
        short = -len(order) % batch
        order += [order[index % len(order)] for index in range(short)]
        for start in range(0, len(order), batch * _POOL):
            pool = sorted(order[start : start + batch * _POOL], key=lambda index: len(examples[index].ids))
            drawn = [[examples[i] for i in pool[at : at + batch]] for at in range(0, len(pool), batch)]
            draw.shuffle(drawn)
            batches += drawn
    return batches[:steps]

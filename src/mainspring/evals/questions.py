"""Questions: from dataset rows and a prompt to what a target is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.data.models import Row
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.prompts import Message, PromptVersion, converse


@dataclass(frozen=True, slots=True)
class Question:
    """One row as it is asked."""

    row: str
    group: str
    messages: list[dict[str, JSON]]
    reference: JSON
    contexts: tuple[str, ...] = ()
    """Passages that the answer could rest on, best first: the row's `contexts`."""


def choose(rows: Sequence[Row], split: str, limit: int | None, seed: int) -> list[Row]:
    """Return the rows of a split, at most `limit`, in the dataset's order. Raises Invalid where there are none.

    A limit samples by the hash of seed and row id: the same rows for every target. `train` rows take part only where
    they are asked for.
    """
    found = [row for row in rows if not split or row.split == split]
    if not found:
        have = sorted({row.split or "(none)" for row in rows})
        raise Invalid(
            f"The dataset has no rows in the split '{split}'.", hint=f"It has {', '.join(have) or 'no rows'}."
        )
    if limit is None or limit >= len(found):
        return found
    order = {row.id: hashlib.sha256(f"{seed}:{row.id}".encode()).digest() for row in found}
    kept = set(sorted(order, key=order.__getitem__)[:limit])
    return [row for row in found if row.id in kept]


def ask(row: Row, prompt: PromptVersion | None, *, own_system: bool = False) -> Question:
    """Return what a row asks: its messages up to the answer, put into the prompt where there is one.

    Entries of the row's `meta` give the prompt's other variables their values. The row's system messages are left out
    where the prompt, or the release that is asked (`own_system`), brings its own. Raises Invalid, naming the row.
    """
    asked = [(message.role, message.content) for message in row.messages] if row.messages else [("user", row.text)]
    answer: JSON = None
    if asked[-1][0] == "assistant":
        answer = asked.pop()[1]
    if prompt is not None or own_system:
        asked = [(role, content) for role, content in asked if role not in ("system", "developer")]
    try:
        if prompt is None:
            sent: list[dict[str, JSON]] = [{"role": role, "content": content} for role, content in asked]
        else:
            messages = [Message.model_validate({"role": role, "content": content}) for role, content in asked]
            values = {name: row.meta[name] for name in prompt.variables if row.meta.get(name) is not None}
            sent = [message.model_dump() for message in converse(prompt, messages, values)]
        if not sent:
            raise Invalid("there is nothing to ask.")
    except ValueError as error:
        raise Invalid(f"Row {row.id} cannot be asked: {str(error)[:300]}") from None
    except Invalid as error:
        raise Invalid(f"Row {row.id} cannot be asked: {error.message}", hint=error.hint) from None
    reference = answer if row.reference is None else row.reference
    return Question(row.id, row.group, sent, reference, contexts(row.meta.get("contexts")))


def contexts(value: JSON) -> tuple[str, ...]:
    """Return passages: texts, or objects with a `text` or `content`; what is neither is left out."""
    found = [
        one.get("text") or one.get("content") if isinstance(one, dict) else one
        for one in (value if isinstance(value, list) else [value])
    ]
    return tuple(one for one in found if isinstance(one, str) and one)

"""Proposals: how a prompt is changed, and which of several is changed next."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from mainspring.data.models import Row
from mainspring.evals.models import ExperimentRow
from mainspring.evals.scorers.structured import text_of
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.prompts import Message, PromptVersion

_HOLE = re.compile(r"(?<!\\)\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_FENCE = re.compile(r"<instruction>(.*?)</instruction>", re.DOTALL | re.IGNORECASE)
_SHOWN = 1500
"""Characters of each text that the proposing model is shown."""
LONGEST = 8000

REFLECT = """\
You improve the instruction of a prompt for a language model. Below stand the instruction as it is, and questions to
which the answers were poor: the answer, what was expected, and the score.

Work out what the instruction fails to say: the form of the answer, the rules of the task, facts that the model lacks.
Then write a better instruction. Keep what works. Keep every placeholder in double braces as it stands. Do not quote
the examples; say what holds for all of them.

The instruction as it is:
<instruction>
[instruction]
</instruction>

[examples]

Answer with the new instruction alone, between <instruction> and </instruction>."""


def instruction_of(prompt: PromptVersion) -> str:
    """Return what the search changes: the system message; empty where there is none."""
    return next((message.content for message in prompt.messages if message.role == "system"), "")


def with_instruction(prompt: PromptVersion, text: str) -> PromptVersion:
    """Return the prompt with another system message, put first where it had none."""
    new = Message(role="system", content=text)
    found = [place for place, message in enumerate(prompt.messages) if message.role == "system"]
    messages = list(prompt.messages)
    if found:
        messages[found[0]] = new
    else:
        messages.insert(0, new)
    return prompt.model_copy(update={"messages": messages})


def with_examples(prompt: PromptVersion, rows: Sequence[Row]) -> PromptVersion:
    """Return the prompt with rows as examples, each a user's and an assistant's message, before its last message."""
    shown = [
        Message(role=role, content=_literal(text))  # type: ignore[arg-type]
        for row in rows
        for role, text in zip(("user", "assistant"), example(row) or ("", ""), strict=True)
    ]
    *before, last = prompt.messages
    return prompt.model_copy(update={"messages": [*before, *shown, last]})


def example(row: Row) -> tuple[str, str] | None:
    """Return a row as question and right answer; None where it has no answer, or cannot stand in a template."""
    asked = [(message.role, message.content) for message in row.messages] if row.messages else [("user", row.text)]
    answer = ""
    if asked and asked[-1][0] == "assistant":
        answer = asked.pop()[1]
    answer = answer or text_of(row.reference, "") or ""
    turns = [text for role, text in asked if role == "user"]
    if len(turns) != 1 or not answer or "{%" in turns[0] + answer:
        return None
    return turns[0], answer


def reflection(prompt: PromptVersion, rows: Sequence[ExperimentRow], metric: str) -> list[dict[str, JSON]]:
    """Return what the proposing model is asked: the instruction, and rows that went wrong."""
    parts = []
    for number, row in enumerate(rows, 1):
        asked = next((str(message["content"]) for message in reversed(row.messages) if message["role"] == "user"), "")
        expected = text_of(row.reference, "") or "(not known)"
        answer = row.error or row.answer or "(nothing)"
        parts.append(
            f"Example {number}\nQuestion: {asked[:_SHOWN]}\nAnswer: {answer[:_SHOWN]}\n"
            f"Expected: {expected[:_SHOWN]}\n{metric}: {row.scores.get(metric)}"
        )
    before, rest = REFLECT.split("[instruction]")
    between, after = rest.split("[examples]")
    text = "".join((before, instruction_of(prompt), between, "\n\n".join(parts), after))
    return [{"role": "user", "content": text}]


def proposed(answer: str, prompt: PromptVersion) -> str | None:
    """Return the instruction that a model proposed; None where it has none, or loses or invents a placeholder."""
    found = _FENCE.findall(answer)
    text = (found[-1] if found else "").strip()
    old = instruction_of(prompt)
    if not text or len(text) > LONGEST or text == old.strip():
        return None
    return text if sorted(_HOLE.findall(text)) == sorted(_HOLE.findall(old)) else None


def pick(scores: Sequence[Mapping[str, float]], draw: random.Random) -> int:
    """Return the place of the candidate to change next, drawn from the Pareto front over rows.

    `scores` are each candidate's by row, higher is better. A candidate counts for each row at which none is better;
    those that another dominates are left out (Agrawal et al. 2025, algorithm 2).
    """
    rows = list(scores[0])
    best = {row: max(one[row] for one in scores) for row in rows}
    wins = [{row for row in rows if one[row] >= best[row]} for one in scores]
    front = [place for place, won in enumerate(wins) if won and not any(won < other for other in wins)]
    if not front:
        return 0
    return draw.choices(front, weights=[len(wins[place]) for place in front])[0]


def check(prompt: PromptVersion) -> None:
    """Raise Invalid for a prompt that cannot be optimised."""
    if prompt.kind != "chat" or not prompt.messages or prompt.messages[-1].role != "user":
        raise Invalid(f"{prompt.ref} is no chat that ends with the user.", hint="Examples stand before that message.")


def _literal(text: str) -> str:
    return text.replace("{{", "\\{{")

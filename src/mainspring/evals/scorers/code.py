"""Scorers that are a piece of Python, stored as a version and run in a limited process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from mainspring.evals.scorers import limited
from mainspring.evals.scorers.registry import Answer, Bench, scorer
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.records import Record
from mainspring.kernel.tx import Tx


class Code(Record):
    """A scorer in Python. It must define `score(answer, reference, question, contexts)`."""

    source: Annotated[str, Field(min_length=1, max_length=50_000)]
    """Standard library only. It returns a number, a truth value, or None where it does not apply to the row."""
    seconds: Annotated[float, Field(ge=0.1, le=300)] = 10.0
    """For all rows of an experiment together."""
    megabytes: Annotated[int, Field(ge=64, le=2048)] = 256


def load(tx: Tx, name: str) -> tuple[str, Code]:
    """Return the exact reference and the code that `name` or `name@2` names. Raises NotFound."""
    try:
        found = versions.resolve(tx, f"code/{name}", "code")
    except NotFound as error:
        raise NotFound(error.message, hint="`mainspring scorer own code` shows what there is.") from None
    return found.ref, Code.model_validate(found.content)


def evaluate(code: Code, answers: Sequence[Answer]) -> list[float | None]:
    """Run the code over the answers. Raises Invalid where it fails."""
    rows = [
        {
            "answer": answer.text,
            "reference": answer.reference,
            "question": answer.question,
            "contexts": list(answer.contexts),
        }
        for answer in answers
    ]
    return limited.run(code.source, rows, seconds=code.seconds, megabytes=code.megabytes)


def _evaluated(bench: Bench, answers: Sequence[Answer], argument: str) -> list[float | None]:
    with bench.platform.read() as tx:
        _, code = load(tx, argument)
    return evaluate(code, answers)


@scorer("code", unit="score", argument="required", needs=("version",), batch=_evaluated, example="code:polite")
def coded(answer: Answer, argument: str) -> float | None:
    """What a piece of Python returns that an admin stored."""
    raise Invalid("A scorer in Python judges all rows of an experiment together.")

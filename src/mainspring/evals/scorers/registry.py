"""Scorers by name. A scorer is one function, registered by a decorator, that turns an answer into a number.

Where one must see all answers together, because it asks a model or starts a process, it brings a `batch` besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON, ChatReply, ChatRequest, LogLikelihoodReply

if TYPE_CHECKING:
    from mainspring.evals.models import Judgement
    from mainspring.kernel.platform import Platform


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer and what it is judged against."""

    text: str
    reference: JSON = None
    """What the dataset row holds to be right; None where it holds nothing."""
    schema: Mapping[str, JSON] | None = None
    """The prompt's response schema, whether or not the answer was constrained to it."""
    latency_ms: float | None = None
    ttft_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    finish_reason: str = ""
    likelihood: LogLikelihoodReply | None = None
    """Of the reference, under the model that answered."""
    question: str = ""
    """What was asked: the last message of the user."""
    contexts: Sequence[str] = ()
    """Passages that the answer could rest on, best first."""
    key: str = ""
    """Names the row, so that what is asked about it can be told apart in traces."""


ScorerFunction = Callable[[Answer, str], float | None]
"""Takes an answer and the scorer's argument; None where the scorer does not apply to the row."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a scorer that judges all answers together may use."""

    platform: Platform
    ask: Callable[[Sequence[ChatRequest]], list[ChatReply | None]]
    """Asks a model, once for each question ever; None where it refused to answer one."""
    environment: str = ""
    """Where the model is asked."""
    keep: Callable[[str, Sequence[Judgement]], None] = lambda key, said: None
    """Takes what a judge said of the answer with a key."""


BatchFunction = Callable[[Bench, Sequence[Answer], str], list[float | None]]
"""Takes all answers and the scorer's argument; returns one number an answer, None where it does not apply."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A figure that is not the mean of its rows: rows give counts, counts are added, the figure is made of the sums."""

    counts: Callable[[Answer, str], tuple[float, ...] | None]
    figure: Callable[[Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A registered scorer."""

    name: str
    summary: str
    unit: str
    """`share` (0 to 1), `score`, `ms`, `tokens`, `characters`, `words`, `cost` or `perplexity`."""
    higher_is_better: bool
    margin: float
    """Smallest difference that matters, in the unit."""
    relative: bool
    """Whether the margin is a share of the baseline's figure instead."""
    argument: Literal["none", "optional", "required"]
    needs: frozenset[str]
    """What must be there: `reference`, `schema`, `likelihood`, `contexts`, or a `version` that the argument names."""
    function: ScorerFunction
    corpus: Corpus | None = None
    check: Callable[[str], None] | None = None
    """Raises Invalid for an argument that means nothing."""
    batch: BatchFunction | None = None
    """In place of `function`, for all answers at once."""
    example: str = ""
    """A metric with an argument that makes sense."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A scorer with its argument: `field:package`."""

    scorer: Scorer
    argument: str = ""

    @property
    def name(self) -> str:
        """The text that names it."""
        return f"{self.scorer.name}:{self.argument}" if self.argument else self.scorer.name

    def value(self, answer: Answer) -> float | None:
        """Return the row's number; None where the metric does not apply to it."""
        return self.scorer.function(answer, self.argument) if self._applies(answer) else None

    def values(self, bench: Bench, answers: Sequence[Answer]) -> list[float | None]:
        """Return the numbers of all rows; None for those that the metric does not apply to."""
        if self.scorer.batch is None:
            return [self.value(answer) for answer in answers]
        places = [place for place, answer in enumerate(answers) if self._applies(answer)]
        found: list[float | None] = [None] * len(answers)
        if places:
            numbers = self.scorer.batch(bench, [answers[place] for place in places], self.argument)
            for place, number in zip(places, numbers, strict=True):
                found[place] = number
        return found

    def _applies(self, answer: Answer) -> bool:
        if "reference" in self.scorer.needs and answer.reference is None:
            return False
        return "contexts" not in self.scorer.needs or bool(answer.contexts)

    def counts(self, answer: Answer) -> tuple[float, ...] | None:
        """Return the row's counts for a corpus figure; None where it has none."""
        if self.scorer.corpus is None or not self._applies(answer):
            return None
        return self.scorer.corpus.counts(answer, self.argument)


_scorers: dict[str, Scorer] = {}


def scorer(
    name: str,
    *,
    unit: str = "share",
    higher_is_better: bool = True,
    margin: float = 0.05,
    relative: bool = False,
    argument: Literal["none", "optional", "required"] = "none",
    needs: Sequence[str] = (),
    corpus: Corpus | None = None,
    check: Callable[[str], None] | None = None,
    batch: BatchFunction | None = None,
    example: str = "",
) -> Callable[[ScorerFunction], ScorerFunction]:
    """Register a function as the scorer `name`; the first line of its docstring is the summary."""

    def register(function: ScorerFunction) -> ScorerFunction:
        summary = (function.__doc__ or "").strip().partition("\n")[0]
        _scorers[name] = Scorer(
            name=name,
            summary=summary,
            unit=unit,
            higher_is_better=higher_is_better,
            margin=margin,
            relative=relative,
            argument=argument,
            needs=frozenset(needs),
            function=function,
            corpus=corpus,
            check=check,
            batch=batch,
            example=example or (f"{name}:package" if argument == "required" else ""),
        )
        return function

    return register


def registered() -> list[Scorer]:
    """Return every scorer, by name."""
    return [_scorers[name] for name in sorted(_scorers)]


def metric(text: str) -> Metric:
    """Return the metric that `name` or `name:argument` names. Raises Invalid, naming what there is."""
    name, _, argument = text.partition(":")
    found = _scorers.get(name)
    if found is None:
        raise Invalid(f"There is no scorer '{name[:100]}'.", hint=f"There are {', '.join(sorted(_scorers))}.")
    if found.argument == "required" and not argument:
        raise Invalid(f"The scorer '{name}' needs an argument.", hint=f"Write for example {found.example}.")
    if found.argument == "none" and argument:
        raise Invalid(f"The scorer '{name}' takes no argument.", hint=f"Write {name}.")
    if len(argument) > 200:
        raise Invalid(f"The argument of '{name}' is longer than 200 characters.")
    if found.check is not None and argument:
        found.check(argument)
    return Metric(found, argument)

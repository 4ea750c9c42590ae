"""Recipes: how a dataset is prepared, as a list of steps. A step is one function, registered by name."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import Field, ValidationError, field_validator

from mainspring.data.models import Row
from mainspring.kernel.errors import Invalid
from mainspring.kernel.records import Record

O = TypeVar("O", bound=Record)  # noqa: E741 - the options of a step


class Outcome(Record):
    """What a step made of the rows."""

    rows: list[Row]
    dropped: dict[str, str] = {}
    """Row id → why it was dropped."""
    changed: int = 0
    figures: dict[str, float] = {}


class StepReport(Record):
    """What a step did, for people to judge it by."""

    step: str
    before: int
    after: int
    changed: int
    reasons: dict[str, int]
    """Why rows were dropped, and how many for each reason."""
    examples: dict[str, str]
    """Up to five dropped rows and why."""
    figures: dict[str, float]
    seconds: float


class Recipe(Record):
    """A list of steps, each a mapping of its name to its options, as in `- near_dedup: {threshold: 0.8}`."""

    name: str = Field(default="recipe", pattern=r"^[a-z0-9][a-z0-9._-]{0,127}$")
    description: str = Field(default="", max_length=2000)
    steps: list[dict[str, dict[str, Any] | None]] = Field(min_length=1, max_length=50)

    @field_validator("steps")
    @classmethod
    def _known(cls, steps: list[dict[str, dict[str, Any] | None]]) -> list[dict[str, dict[str, Any] | None]]:
        for number, one in enumerate(steps, start=1):
            if len(one) != 1:
                raise ValueError(f"step {number} names {len(one)} steps instead of one")
            name, options = next(iter(one.items()))
            if name not in _STEPS:
                raise ValueError(f"step {number} names {name!r}; there are {', '.join(sorted(_STEPS))}")
            try:
                _STEPS[name][0].model_validate(options or {})
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, first["loc"]))
                raise ValueError(f"step {number} ({name}): {place}: {first['msg']}") from None
        return steps


class RecipeVersion(Record):
    """One version of a recipe."""

    ref: str
    name: str
    number: int
    recipe: Recipe
    note: str
    created_at: datetime
    created_by: str
    existed: bool = False


_STEPS: dict[str, tuple[type[Record], Callable[[list[Row], Any], Outcome]]] = {}


def step(
    name: str, options: type[O]
) -> Callable[[Callable[[list[Row], O], Outcome]], Callable[[list[Row], O], Outcome]]:
    """Register the decorated function as the recipe step `name`, with the model of its options."""

    def register(function: Callable[[list[Row], O], Outcome]) -> Callable[[list[Row], O], Outcome]:
        _STEPS[name] = (options, function)
        return function

    return register


def parse(value: dict[str, Any]) -> Recipe:
    """Check a recipe. Raises Invalid, naming the step that is wrong."""
    from mainspring.data import steps  # noqa: F401 - importing it registers the built-in steps

    try:
        return Recipe.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Invalid(
            f"The recipe is not valid: {place}: {first['msg']}.", hint="See examples/docstrings.yaml for a whole one."
        ) from None


def in_shares(recipe: Recipe, rows: int) -> Recipe:
    """Return the recipe with the sizes of its splits as shares of `rows`, so that it can be tried on fewer."""

    def share(options: dict[str, Any]) -> dict[str, Any]:
        sizes = {part: float(options[part]) / rows for part in ("test", "validation") if options.get(part, 0) >= 1}
        return {**options, **{part: min(0.25, size) for part, size in sizes.items()}}

    steps = [
        {name: share(given or {}) if name == "split" else given for name, given in one.items()} for one in recipe.steps
    ]
    return recipe.model_copy(update={"steps": steps})


def prepare(
    recipe: Recipe, rows: Sequence[Row], on_step: Callable[[int, str, int], None] | None = None
) -> tuple[list[Row], list[StepReport]]:
    """Run a recipe over rows and return the rows that are left, with a report for each step.

    `on_step(number, name, rows)` is called before each step. Raises Invalid where no row is left.
    """
    current, reports = list(rows), []
    for number, one in enumerate(recipe.steps):
        name, given = next(iter(one.items()))
        model, function = _STEPS[name]
        if on_step:
            on_step(number, name, len(current))
        began = time.monotonic()
        done = function(current, model.model_validate(given or {}))
        if not done.rows:
            raise Invalid(
                f"Step {number + 1} ({name}) leaves no row.", hint="Preview the recipe, and loosen that step."
            )
        reports.append(
            StepReport(
                step=name,
                before=len(current),
                after=len(done.rows),
                changed=done.changed,
                reasons=dict(Counter(done.dropped.values()).most_common(20)),
                examples=dict(list(done.dropped.items())[:5]),
                figures=done.figures,
                seconds=round(time.monotonic() - began, 3),
            )
        )
        current = done.rows
    return current, reports

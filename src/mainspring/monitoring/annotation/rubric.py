"""Rubrics: what may be asked, what may be answered, and what several answers come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mainspring.kernel.errors import Invalid
from mainspring.monitoring.annotation.models import Answer, Question


def check_questions(questions: Sequence[Question]) -> None:
    """Raise Invalid where a rubric cannot be asked."""
    names = [question.name for question in questions]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Invalid(f"Two questions are called {min(twice)}.", hint="Give each a name of its own.")
    for question in questions:
        if question.kind == "label" and len(set(question.labels)) < 2:
            raise Invalid(f"{question.name}: a label is chosen of two or more.", hint="Give labels.")
        if question.kind != "label" and question.labels:
            raise Invalid(f"{question.name}: only a question of kind label has labels.", hint="Leave them out.")
        if question.kind == "number" and question.low >= question.high:
            raise Invalid(f"{question.name}: low is not under high.", hint="Give low and high, such as 1 and 5.")


def checked(questions: Sequence[Question], answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the answers as they are kept. Raises Invalid for one that does not fit, or one that is missing."""
    known = {question.name: question for question in questions}
    if unknown := sorted(set(answers) - set(known)):
        raise Invalid(f"The queue asks no {unknown[0]}.", hint=f"It asks {', '.join(known)}.", param="answers")
    found: dict[str, Answer] = {}
    for question in questions:
        given = answers.get(question.name)
        if given is None or given == "":
            if question.required:
                raise Invalid(f"{question.name} is not answered.", hint="Answer it, or skip the item.", param="answers")
            continue
        found[question.name] = _fitting(question, given)
    return found


def _fitting(question: Question, given: Answer) -> Answer:
    if question.kind in ("thumbs", "number"):
        low, high = (0.0, 1.0) if question.kind == "thumbs" else (question.low, question.high)
        if isinstance(given, str) or not math.isfinite(given) or not low <= given <= high:
            raise Invalid(f"{question.name} is {given!r}.", hint=f"Give a number from {low:g} to {high:g}.")
        if question.kind == "thumbs" and given not in (0, 1):
            raise Invalid(f"{question.name} is {given!r}.", hint="Give 1 for up or 0 for down.")
        return float(given)
    if not isinstance(given, str):
        raise Invalid(f"{question.name} is {given!r}.", hint="Give text.")
    if question.kind == "label" and given not in question.labels:
        raise Invalid(f"{question.name} is {given!r}.", hint=f"One of {', '.join(question.labels)}.")
    return given


def settled(questions: Sequence[Question], given: Sequence[Mapping[str, Answer]]) -> dict[str, Answer] | None:
    """Return what the answers of several reviewers come to; None where they are in dispute.

    Labels, thumbs and corrections must be the same, numbers within the question's tolerance, and their mean is taken;
    texts are put one after the other. Who left a question out that may be left out has no say in it.
    """
    found: dict[str, Answer] = {}
    for question in questions:
        said = [answers[question.name] for answers in given if question.name in answers]
        if not said:
            continue
        if question.kind == "number":
            numbers = [float(one) for one in said]
            if max(numbers) - min(numbers) > question.tolerance:
                return None
            found[question.name] = sum(numbers) / len(numbers)
        elif question.kind == "text":
            found[question.name] = "\n\n".join(dict.fromkeys(str(one) for one in said))[:20_000]
        elif len(set(said)) > 1:
            return None
        else:
            found[question.name] = said[0]
    return found


def coded(question: Question, said: Answer) -> float | None:
    """Return an answer as a number, for measures of agreement; None where it is free text.

    Numbers are rounded to 200 steps over the question's range.
    """
    if question.kind == "label":
        return float(question.labels.index(str(said))) if said in question.labels else None
    if question.kind == "thumbs":
        return float(said)
    if question.kind == "number":
        step = (question.high - question.low) / 199
        return round((float(said) - question.low) / step) * step + question.low
    return None

"""Report: how the reviewers of a queue agree, question by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

from sqlalchemy import RowMapping, select

from mainspring import stats
from mainspring.kernel.tx import Tx
from mainspring.monitoring.annotation import rubric, store
from mainspring.monitoring.annotation.models import AgreementReport, Pair, Question, QuestionAgreement
from mainspring.monitoring.annotation.tables import reviews
from mainspring.stats.raters import Reliability

_MOST_REVIEWS = 50_000
_MOST_PAIRS = 45
Given = Mapping[str, Mapping[str, float]]
"""By item and reviewer."""


def agreement(tx: Tx, queue: RowMapping) -> AgreementReport:
    """Measure agreement on every question, from what reviewers said before anybody settled it."""
    mine = (reviews.c.queue_id == queue["id"]) & reviews.c.adjudication.is_(False) & reviews.c.skipped.is_(False)
    rows = tx.execute(select(reviews).where(mine).order_by(reviews.c.at.desc()).limit(_MOST_REVIEWS)).mappings().all()
    found = []
    for question in store.questions_of(queue):
        given: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for row in rows:
            said = row["answers"].get(question.name)
            value = None if said is None else rubric.coded(question, said)
            if value is not None:
                given[row["item_id"]][row["reviewer"]] = value
        found.append(_of(question, given, int(queue["reviewers"])))
    return AgreementReport(queue=queue["name"], questions=found)


def _of(question: Question, given: Given, wanted: int) -> QuestionAgreement:
    none = Reliability(0, 0, None, None, None)
    both = [list(said.values()) for said in given.values() if len(said) > 1]
    if question.kind in ("text", "correction"):
        return _line(question, none, none, [], "Words in freedom are not compared.")
    if not both:
        return _line(question, none, none, [], "No item was judged by two reviewers yet.")
    scale = "interval" if question.kind == "number" else "ordinal" if question.ordered else "nominal"
    alpha = stats.krippendorff_alpha(both, scale)  # type: ignore[arg-type]
    whole = [said for said in both if len(said) == wanted]
    fleiss = stats.fleiss_kappa(whole) if whole and wanted > 1 and question.kind != "number" else none
    return _line(question, alpha, fleiss, _pairs(question, given), _note(alpha))


def _line(
    question: Question, alpha: Reliability, fleiss: Reliability, pairs: list[Pair], note: str
) -> QuestionAgreement:
    return QuestionAgreement(
        question=question.name,
        kind=question.kind,
        units=alpha.units,
        alpha=alpha.value,
        alpha_low=alpha.low,
        alpha_high=alpha.high,
        fleiss=fleiss.value,
        fleiss_low=fleiss.low,
        fleiss_high=fleiss.high,
        pairs=pairs,
        note=note,
    )


def _pairs(question: Question, given: Given) -> list[Pair]:
    """Return Cohen's kappa of each two reviewers who judged the same items, those with most in common first."""
    if question.kind == "number":
        return []
    steps = len(question.labels) if question.kind == "label" else 2
    people = sorted({reviewer for said in given.values() for reviewer in said})
    shared = [
        (first, second, [said for said in given.values() if first in said and second in said])
        for first, second in combinations(people[:50], 2)
    ]
    shared = sorted((one for one in shared if one[2]), key=lambda one: -len(one[2]))[:_MOST_PAIRS]
    found = []
    for first, second, both in shared:
        left, right = ([int(said[who]) for said in both] for who in (first, second))
        cohen = stats.agreement(left, right, steps, weighted=question.ordered)
        span = {"low": cohen.kappa_low, "high": cohen.kappa_high}
        found.append(Pair(first=first, second=second, n=cohen.n, share=cohen.share, kappa=cohen.kappa, **span))
    return found


def _note(alpha: Reliability) -> str:
    """Say in words what alpha is worth, by the bounds of Krippendorff (2004, p. 241)."""
    if alpha.value is None:
        return "All said one and the same thing: nothing can be said of agreement beyond chance."
    least = alpha.value if alpha.low is None else alpha.low
    sure = "" if alpha.low is not None else " Too few items were judged twice, or in dispute, to say how sure that is."
    if least >= 0.8:
        return f"Reviewers agree well enough to rely on.{sure}"
    if least >= 0.667:
        return f"Reviewers agree well enough for tentative conclusions.{sure}"
    return f"Reviewers do not surely agree: make the rubric clearer before the result is relied on.{sure}"

"""Calibration: what a rule finds in labelled examples at each threshold, so that one can be chosen with open eyes."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.kernel.errors import Invalid
from mainspring.safety import detectors
from mainspring.safety.models import Example, Operating, Rule, RuleCalibration
from mainspring.stats import exact_proportion

_THRESHOLDS = [step / 20 for step in range(1, 21)]


def calibrate(rule: Rule, examples: Sequence[Example]) -> RuleCalibration:
    """Return recall and false positives at the thresholds 0.05, 0.1, … 1. Raises Invalid without both sorts."""
    if len({example.hit for example in examples}) < 2:
        raise Invalid("The examples are all of one sort.", hint="Give some with hit true and some with hit false.")
    # At a threshold of 0 the detector tells every score that it gives.
    asked = rule.model_copy(update={"threshold": 0.0})
    find = detectors.get(rule.detector).find
    scores = [max((hit.score for hit in find(example.text, 0, asked)), default=0.0) for example in examples]
    wanted = [score for score, example in zip(scores, examples, strict=True) if example.hit]
    others = [score for score, example in zip(scores, examples, strict=True) if not example.hit]
    points = [_at(threshold, wanted, others) for threshold in _THRESHOLDS]
    best = max(_gain(point) for point in points)
    among = [point.threshold for point in points if _gain(point) == best]
    return RuleCalibration(detector=rule.detector, suggested=among[len(among) // 2], points=points, scores=scores)


def _gain(point: Operating) -> float:
    return round(point.recall - point.false_positives, 9)


def _at(threshold: float, wanted: Sequence[float], others: Sequence[float]) -> Operating:
    found, wrong = (sum(score >= threshold for score in scores) for scores in (wanted, others))
    return Operating(
        threshold=threshold,
        recall=found / len(wanted),
        recall_interval=_interval(found, len(wanted)),
        false_positives=wrong / len(others),
        false_positives_interval=_interval(wrong, len(others)),
    )


def _interval(count: int, n: int) -> tuple[float, float]:
    found = exact_proportion(count, n)
    return found.low, found.high

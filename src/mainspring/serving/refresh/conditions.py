"""Conditions: what the records and the traffic say of each reason to refresh, with the numbers.

A score's drop is judged by confidence sequences, which hold at every look: the mean of the release's first period
against that of each later window. The windows share the error: the k-th gets 1 / (k (k + 1)) of it, which adds up to
one, so that a score that never dropped is taken for dropped with a probability of 5 % at most, however long it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select

from mainspring.data import load as load_dataset
from mainspring.kernel import lineage
from mainspring.kernel.errors import MainspringError
from mainspring.kernel.platform import Platform
from mainspring.kernel.tx import Tx
from mainspring.registry import ancestors, load, load_release
from mainspring.serving import units
from mainspring.serving.canaries import CanaryPlan
from mainspring.serving.refresh.cron import following, parse
from mainspring.serving.refresh.models import Kind, RefreshFinding, RefreshTerms
from mainspring.serving.tables import deployment_moves
from mainspring.serving.units import Scope, Seen
from mainspring.stats import bounded_sequence
from mainspring.traces import nanoseconds

ERROR = 0.05
"""Probability at most that a score that did not drop is ever taken for dropped."""


class Place(NamedTuple):
    """What is looked at."""

    environment: str
    deployment: str
    release: str
    since: datetime
    """When the release became what answers."""


class Past(NamedTuple):
    """What earlier refreshes tell."""

    base: datetime
    """From when on a schedule counts: the last time that one was due, else when the policy was made."""
    done_rows: int
    """Rows of the dataset when the last refresh that was done became due; 0 where there is none."""
    done_feedback: int
    done_score: bool
    """Whether one that was done was due to this release's score."""
    signal: dict[str, Any]
    """The alert that nobody has answered, with the member in `by` whose action asks for the refresh; or nothing."""


def live_since(tx: Tx, environment: str, deployment: str, release: str) -> datetime:
    """Return since when a release has been the baseline without a break."""
    m = deployment_moves.c
    mine = (m.project == tx.project) & (m.environment == environment) & (m.name == deployment)
    last = select(func.max(m.revision)).where(mine, m.baseline != release).scalar_subquery()
    first = select(func.min(m.moved_at)).where(mine, m.revision > func.coalesce(last, 0))
    return tx.execute(first).scalar_one() or tx.now


def examine(platform: Platform, terms: RefreshTerms, place: Place, past: Past, now: datetime) -> list[RefreshFinding]:
    """Look at every condition of a policy; one that cannot be looked at is not met, and says why."""
    found = []
    for kind, look in _looks(terms, past):
        try:
            found.append(look(platform, terms, place, past, now))
        except MainspringError as error:
            found.append(RefreshFinding(kind=kind, met=False, summary=f"{error.message} {error.hint}".strip()))
    return found


Look = Callable[[Platform, RefreshTerms, Place, Past, datetime], RefreshFinding]


def _looks(terms: RefreshTerms, past: Past) -> Iterator[tuple[Kind, Look]]:
    if terms.every_hours or terms.cron:
        yield "schedule", _schedule
    if terms.drift_monitor:
        yield "drift", _drift
    if terms.dataset and terms.new_rows:
        yield "volume", _volume
    if terms.feedback and terms.new_feedback:
        yield "feedback", _feedback
    if terms.score:
        yield "score", _score
    if past.signal.get("by"):
        yield "alert", _alert


def _schedule(platform: Platform, terms: RefreshTerms, place: Place, past: Past, now: datetime) -> RefreshFinding:
    moments = []
    if terms.every_hours:
        moments.append(past.base + timedelta(hours=terms.every_hours))
    if terms.cron and (at := following(parse(terms.cron), past.base)) is not None:
        moments.append(at)
    if not moments:
        return RefreshFinding(kind="schedule", met=False, summary="The schedule has no moment that ever comes.")
    due = min(moments)
    met = due <= now
    evidence = {"scheduled_for": due.isoformat(), "counted_from": past.base.isoformat()}
    said = f"It {'was' if met else 'is'} scheduled for {due:%Y-%m-%d %H:%M} UTC."
    return RefreshFinding(kind="schedule", met=met, summary=said, evidence=evidence)


def _drift(platform: Platform, terms: RefreshTerms, place: Place, past: Past, now: datetime) -> RefreshFinding:
    if past.signal.get("monitor") != terms.drift_monitor:
        return RefreshFinding(kind="drift", met=False, summary=f"{terms.drift_monitor} has opened no alert since.")
    said = f"{terms.drift_monitor} opened the alert {past.signal['alert']} at {past.signal['at'][:16]}."
    return RefreshFinding(kind="drift", met=True, summary=said, evidence=past.signal)


def _alert(platform: Platform, terms: RefreshTerms, place: Place, past: Past, now: datetime) -> RefreshFinding:
    signal = past.signal
    said = f"{signal['monitor']} opened the alert {signal['alert']}, for which {signal['by']} asked for a refresh."
    return RefreshFinding(kind="alert", met=True, summary=said, evidence=signal)


def _volume(platform: Platform, terms: RefreshTerms, place: Place, past: Past, now: datetime) -> RefreshFinding:
    with platform.read() as tx:
        newest = load_dataset(tx, terms.dataset)
        trained = trained_on(tx, place.release)
        before = load_dataset(tx, trained).rows if trained else 0
    counted = max(before, past.done_rows)
    new = max(0, newest.rows - counted)
    evidence = {"dataset": newest.ref, "rows": newest.rows, "trained_on": trained, "trained_rows": before}
    evidence |= {"new_rows": new, "wanted": terms.new_rows, "counted_from": counted}
    said = f"{newest.ref} has {new:,} rows more than the {counted:,} of {trained or 'the last refresh'}; "
    said += f"{terms.new_rows:,} are enough."
    return RefreshFinding(kind="volume", met=new >= terms.new_rows, summary=said, evidence=evidence)


def _feedback(platform: Platform, terms: RefreshTerms, place: Place, past: Past, now: datetime) -> RefreshFinding:
    count = len({one.unit for one in scored(platform, place, terms.feedback)})
    new = max(0, count - past.done_feedback)
    evidence = {"score": terms.feedback, "release": place.release, "calls": count, "new": new}
    evidence |= {"wanted": terms.new_feedback}
    said = f"{new:,} calls of {place.release} were given {terms.feedback}; {terms.new_feedback:,} are enough."
    return RefreshFinding(kind="feedback", met=new >= terms.new_feedback, summary=said, evidence=evidence)


def _score(platform: Platform, terms: RefreshTerms, place: Place, past: Past, now: datetime) -> RefreshFinding:
    name = terms.score
    if past.done_score:
        said = f"The refresh for the drop of {name} was done; the next release is judged anew."
        return RefreshFinding(kind="score", met=False, summary=said)
    values = [
        (one.at_ns, min(max(one.value, terms.score_low), terms.score_high)) for one in _calls(platform, place, name)
    ]
    first, later = values[: terms.first_units], values[terms.first_units :]
    if len(first) < terms.first_units or not later:
        said = (
            f"{name} is known of {len(values):,} calls of {place.release}; its first period has {terms.first_units:,}."
        )
        return RefreshFinding(kind="score", met=False, summary=said, evidence={"calls": len(values)})
    width = int(terms.window_days * 86_400e9)
    number = (nanoseconds(now) - later[0][0]) // width
    window = [value for at, value in later if (at - later[0][0]) // width == number]
    error = ERROR / 2 / ((number + 1) * (number + 2))
    bounds = {"low": terms.score_low, "high": terms.score_high}
    before = bounded_sequence([value for _, value in first], level=1 - ERROR / 2, **bounds)
    evidence: dict[str, Any] = {"score": name, "release": place.release, "window": number + 1, "level": 1 - ERROR}
    evidence |= {"first": _shown(before), "drop": terms.score_drop}
    if not window:
        said = f"{name} is known of no call in the present window of {terms.window_days:g} days."
        return RefreshFinding(kind="score", met=False, summary=said, evidence=evidence)
    after = bounded_sequence(window, level=1 - error, **bounds)
    least = before.low - after.high
    evidence |= {"now": _shown(after), "least_drop": least}
    said = (
        f"{name} was {_words(before)} in the first {len(first):,} calls of {place.release} and is {_words(after)} in "
    )
    said += f"{len(window):,} of the present window; a drop of more than {terms.score_drop:g} is "
    said += f"{'shown' if least > terms.score_drop else 'not shown'}."
    return RefreshFinding(kind="score", met=least > terms.score_drop, summary=said, evidence=evidence)


def trained_on(tx: Tx, release: str) -> str:
    """Return the dataset version that a release's model, or one that it was made from, was trained on; else empty."""
    model = load(tx, load_release(tx, release).model)
    for candidate in [model, *ancestors(tx, model)]:
        for edge in lineage.inputs_of(tx, candidate.ref):
            if edge.ref.startswith("dataset/"):
                return edge.ref
    return ""


def scored(platform: Platform, place: Place, name: str) -> list[Seen]:
    """Return the scores that calls of the release were given since it is live, in order."""
    since = nanoseconds(place.since)
    project = _project(platform)
    scope = Scope(project, place.environment, place.deployment, (place.release, place.release), "", "request", since)
    plan = CanaryPlan.model_construct(metric=f"score/{name}")
    return units.judged(platform, plan, scope, place.since)


def _calls(platform: Platform, place: Place, name: str) -> list[Seen]:
    """Return one value for each call, its first, in order: what is judged twice is one call still."""
    known: dict[str, Seen] = {}
    for one in scored(platform, place, name):
        known.setdefault(one.unit, one)
    return list(known.values())


def _project(platform: Platform) -> str:
    with platform.read() as tx:
        return tx.project


def _shown(interval: Any) -> dict[str, float | int]:
    return {"mean": interval.estimate, "low": interval.low, "high": interval.high, "calls": interval.n}


def _words(interval: Any) -> str:
    return f"{interval.estimate:.3g} (between {interval.low:.3g} and {interval.high:.3g})"

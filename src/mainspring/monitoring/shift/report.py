"""The report: reference and calls read, each feature tested, corrected together, and put into words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from mainspring import stats
from mainspring.evals import store as experiments
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.monitoring import reference
from mainspring.monitoring.drift import TooFew
from mainspring.monitoring.sample import Traffic, calls, one_of_each_session
from mainspring.monitoring.shift import topics
from mainspring.monitoring.shift.features import CATEGORIES, NUMBERS, SHARES, Seen, of_row, of_span
from mainspring.monitoring.shift.models import DriftReport, FeatureKind, FeatureShift, TopicShift
from mainspring.stats import DriftResult
from mainspring.traces import scores as score_store

if TYPE_CHECKING:
    import numpy as np

LEAST = 30
"""Values a side under which a feature is left out."""
MIN_EFFECTS = {"meaning": 0.08, "number": 0.2, "share": 0.05, "category": 0.15}
"""Changes smaller than these are no drift, however sure they are."""
_SHOWN = 5
_RARE = 5
_DAYS = 7
_WORDS = {"meaning": "means something else", "number": "is distributed otherwise", "share": "is rarer or more frequent",
          "category": "is mixed otherwise"}  # fmt: skip
Embed = Callable[[Sequence[str]], "np.ndarray"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSettings:
    """How a report is made."""

    against: str = "data"
    """`data` for what the release was trained and measured with, `window` for an earlier time."""
    reference_days: float = 7.0
    limit: int = 500
    alpha: float = 0.01
    seed: int = 0
    traffic: Traffic = "live"
    """Of both sides, where calls are held against earlier ones."""


def report(
    platform: Platform,
    target: str,
    environment: str,
    settings: ShiftSettings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> DriftReport:
    """Hold the calls of a time against the release's own data, or against the time before.

    Of a session one call counts, since those of one session are alike. Raises TooFew under 30 calls a side, Invalid
    where the release's data is not known.
    """
    with platform.read() as tx:
        now = tx.now
    start = since or now - timedelta(days=_DAYS)
    spans = _calls(platform, target, environment, start, until, settings)
    known_by = until or now
    live = _read(platform, spans, known_by)
    release = target if target.startswith("release/") else _release(spans)
    if settings.against == "window":
        before = start - timedelta(days=settings.reference_days)
        old = _read(platform, _calls(platform, target, environment, before, start, settings), known_by)
        against = f"{before:%Y-%m-%d %H:%M} to {start:%Y-%m-%d %H:%M} (UTC)"
    else:
        old, against = _made_with(platform, release, settings)
    if min(len(live), len(old)) < LEAST:
        raise TooFew(
            f"{len(live)} calls and {len(old)} to hold them against; {LEAST} of each are needed.",
            hint="Wait for traffic, look further back with since, or hold it against a window.",
        )
    embed = platform.embed.embed if platform.embed_port is not None else None
    features, left_out, shifted = compare(old, live, settings, embed)
    drifted = [one for one in features if one.drifted]
    return DriftReport(
        target=target,
        release=release,
        against=against,
        n=len(live),
        n_reference=len(old),
        least=LEAST,
        alpha=settings.alpha,
        features=features,
        left_out=left_out,
        topics=shifted,
        drifted=bool(drifted),
        verdict=_verdict(drifted, shifted),
        checked_at=now,
    )


def compare(
    old: Sequence[Seen], live: Sequence[Seen], settings: ShiftSettings, embed: Embed | None
) -> tuple[list[FeatureShift], list[str], list[TopicShift]]:
    """Return the features with Holm's correction over all of them, those left out, and the topics of the inputs."""
    tested: list[tuple[str, FeatureKind, DriftResult, tuple[float | None, float | None], list[str]]] = []
    left_out: list[str] = []

    def numbers(name: str, kind: FeatureKind, value: Callable[[Seen], float | None]) -> None:
        sides = [[(found, one.key) for one in side if (found := value(one)) is not None] for side in (old, live)]
        left, right = ([found for found, _ in side] for side in sides)
        if min(len(left), len(right)) < LEAST:
            left_out.append(name)
        elif kind == "share":
            hits = [key for found, key in sides[1] if found][:_SHOWN]
            tested.append((name, kind, stats.drift.shares(left, right), (_mean(left), _mean(right)), hits))
        else:
            middle = _median(left)
            far = [key for _, key in sorted(sides[1], key=lambda pair: -abs(pair[0] - middle))[:_SHOWN]]
            tested.append((name, kind, stats.drift.ks(left, right), (middle, _median(right)), far))

    for name in NUMBERS:
        numbers(name, "number", lambda one, name=name: one.numbers.get(name))  # type: ignore[misc]
    for name in SHARES:
        numbers(name, "share", lambda one, name=name: _number(one.shares.get(name)))  # type: ignore[misc]
    for name in sorted({name for one in live for name in one.scores} & {name for one in old for name in one.scores}):
        values = {one.scores[name] for one in [*old, *live] if name in one.scores}
        kind: FeatureKind = "share" if values <= {0.0, 1.0} else "number"
        numbers(f"score/{name}", kind, lambda one, name=name: one.scores.get(name))  # type: ignore[misc]
    for name in CATEGORIES:
        sides = [[one.categories[name] for one in side if one.categories.get(name)] for side in (old, live)]
        if min(map(len, sides)) < LEAST:
            left_out.append(name)
        elif len({*sides[0], *sides[1]}) > 1:
            tested.append((name, "category", stats.drift.chi_square(*_merged(*sides)), (None, None), []))
    shifted: list[TopicShift] = []
    for name in ("input", "output"):
        pairs = [[(getattr(one, name), one.key) for one in side if getattr(one, name)] for side in (old, live)]
        if embed is None or min(map(len, pairs)) < LEAST:
            left_out.append(f"meaning of the {name}")
            continue
        before, after = (embed([text[:2000] for text, _ in side]) for side in pairs)
        found = stats.drift.mmd(before, after, seed=settings.seed)
        odd = (after @ before.T).max(axis=1).argsort()[:_SHOWN]
        tested.append((f"meaning of the {name}", "meaning", found, (None, None), [pairs[1][at][1] for at in odd]))
        if name == "input":
            shifted = _topics(pairs[0], pairs[1], before, after, settings)
    adjusted = stats.holm([found.p_value for _, _, found, _, _ in tested])
    features = [
        FeatureShift(
            feature=name, kind=kind, n_reference=found.n_reference, n=found.n_current, reference=then, now=now,
            p_value=found.p_value, adjusted=p, effect=found.effect, min_effect=MIN_EFFECTS[kind],
            drifted=p <= settings.alpha and found.effect >= MIN_EFFECTS[kind], method=found.method, trace_ids=far,
        )
        for (name, kind, found, (then, now), far), p in zip(tested, adjusted, strict=True)
    ]  # fmt: skip
    return sorted(features, key=lambda one: (not one.drifted, one.adjusted, -one.effect)), left_out, shifted


def _topics(
    old: Sequence[tuple[str, str]], live: Sequence[tuple[str, str]], before: np.ndarray, after: np.ndarray,
    settings: ShiftSettings,
) -> list[TopicShift]:  # fmt: skip
    """Group all inputs without regard to side, and test each group's share; those that moved most come first."""
    import numpy as np

    both = np.concatenate([before, after])
    labels = topics.cluster(both, topics.groups_for(len(both)), settings.seed)
    named = topics.names([text for text, _ in [*old, *live]], labels.tolist())
    left, right = labels[: len(old)], labels[len(old) :]
    groups = sorted(set(labels.tolist()))
    found = [stats.drift.shares((left == one).astype(float), (right == one).astype(float)) for one in groups]
    adjusted = stats.holm([one.p_value for one in found])
    shifts = [
        TopicShift(
            words=named.get(group, []),
            reference=float((left == group).mean()),
            now=float((right == group).mean()),
            p_value=one.p_value,
            adjusted=p,
            moved=p <= settings.alpha and one.effect >= MIN_EFFECTS["share"],
            trace_ids=[live[at][1] for at in np.flatnonzero(right == group)[:_SHOWN]],
        )
        for group, one, p in zip(groups, found, adjusted, strict=True)
    ]
    return sorted(shifts, key=lambda one: (not one.moved, -abs(one.now - one.reference)))


def _calls(
    platform: Platform,
    target: str,
    environment: str,
    since: datetime,
    until: datetime | None,
    settings: ShiftSettings,
) -> list[Span]:
    with platform.read() as tx:
        project = tx.project
    seen = calls(platform, project, target, environment, since=since, until=until, traffic=settings.traffic)
    return list(islice(one_of_each_session(seen), settings.limit))


def _read(platform: Platform, spans: Sequence[Span], known_by: datetime) -> list[Seen]:
    """Read calls with the scores that they had by then."""
    given: dict[str, list[tuple[str, float]]] = {}
    with platform.read() as tx:
        for one in score_store.of_traces(tx, [span.trace_id for span in spans]):
            if one.number is not None and one.created_at <= known_by:
                given.setdefault(one.trace_id, []).append((one.name, one.number))
    return [of_span(span, given.get(span.trace_id, ())) for span in spans]


def _made_with(platform: Platform, release: str, settings: ShiftSettings) -> tuple[list[Seen], str]:
    """Return what a release was measured with, or trained with where nobody measured it. Raises Invalid."""
    if not release:
        raise Invalid("No release answered these calls.", hint="Hold them against a window: against='window'.")
    with platform.read() as tx:
        page, _ = experiments.page(tx, name="", dataset="", target=release, prompt="", suite="", limit=1, cursor="")
        rows = [of_row(row) for row in experiments.read_rows(platform.files, page[0].file)] if page else []
        known = [f"experiment {page[0].id}"] if page else []
        try:
            dataset = reference.training_data(tx, release)
            version = reference.resolve(tx, dataset)
        except MainspringError:
            version = None
    if version is not None:
        asked = reference.inputs(platform, version, "", settings.limit, settings.seed)
        rows += [Seen(key="", input=text, numbers={"input_length": float(len(text))}) for text in asked]
        known.append(version.ref)
    if not rows:
        raise Invalid(
            f"{release} was neither trained nor measured on data that is known here.",
            hint="Hold the calls against a window: against='window'.",
        )
    return rows, " and ".join(known)


def _release(spans: Sequence[Span]) -> str:
    seen = Counter(span.release for span in spans if span.release)
    return seen.most_common(1)[0][0] if seen else ""


def _merged(left: Sequence[str], right: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return categories with the rare ones as one, so that the test's approximation holds."""
    counts = Counter([*left, *right])
    least = _RARE * (len(left) + len(right)) / min(len(left), len(right))
    kept = {name for name, count in counts.items() if count >= least}
    return tuple([one if one in kept else "others" for one in side] for side in (left, right))  # type: ignore[return-value]


def _verdict(drifted: Sequence[FeatureShift], shifted: Sequence[TopicShift]) -> str:
    if not drifted:
        return "Nothing that was measured has drifted."
    parts = [f"{one.feature} {_WORDS[one.kind]} (effect {one.effect:.2f}, p {one.adjusted:.2g})" for one in drifted[:5]]
    more = f", and {len(drifted) - 5} more" if len(drifted) > 5 else ""
    moved = [one for one in shifted if one.moved]
    about = "; ".join(f"{' '.join(one.words[:3])}: {one.reference:.0%} → {one.now:.0%}" for one in moved[:3])
    return f"Drifted: {'; '.join(parts)}{more}." + (f" Topics that moved: {about}." if about else "")


def _number(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]

"""Drift: is what comes in still like what the model learnt from?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.monitoring import reference
from mainspring.monitoring.models import DriftCheck
from mainspring.monitoring.sample import Traffic, calls, one_of_each_session, question
from mainspring.stats.drift import mmd

LEAST = 20
"""Calls below which nothing is said."""
MIN_EFFECT = 0.08
"""A change smaller than this is not called drift, however sure it is: rows of one source in unseen modules differ by
about 0.05, another source by 0.1 and more (docstrings of Python packages, all-MiniLM-L6-v2)."""
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSettings:
    """How drift is judged."""

    dataset: str = ""
    """Dataset version to compare with; empty for the release's own training data."""
    split: str = ""
    """Its split; empty for `train` where there is one."""
    limit: int = 200
    """Latest calls looked at."""
    reference_limit: int = 200
    alpha: float = 0.01
    min_effect: float = MIN_EFFECT
    seed: int = 0
    traffic: Traffic = "live"


class TooFew(Invalid):
    """There is too little traffic to judge."""


def check(
    platform: Platform,
    target: str,
    environment: str,
    settings: DriftSettings,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> DriftCheck:
    """Compare the inputs of live calls with the reference by MMD on embeddings; of a session one call counts.

    Raises TooFew below 20 calls with text, Invalid where there is nothing to compare with, Unavailable without an
    embedding model.
    """
    with platform.read() as tx:
        project, now = tx.project, tx.now
    since = since or now - timedelta(days=7)
    spans = one_of_each_session(
        calls(platform, project, target, environment, since=since, until=until, traffic=settings.traffic)
    )
    sample = list(islice(((span, text) for span in spans if (text := question(span.input).strip())), settings.limit))
    if len(sample) < LEAST:
        raise TooFew(
            f"{len(sample)} calls of {target or 'the project'} hold text; drift needs {LEAST}.",
            hint="Wait for traffic, or look further back with since.",
        )
    release = target if target.startswith("release/") else _release([span for span, _ in sample])
    with platform.read() as tx:
        dataset = settings.dataset or reference.training_data(tx, _required(release))
        version = reference.resolve(tx, dataset)
    known = reference.vectors(platform, version, settings.split, settings.reference_limit, settings.seed)
    seen = platform.embed.embed([text for _, text in sample])
    found = mmd(known, seen, seed=settings.seed)
    nearest = (seen @ known.T).max(axis=1)
    odd = [sample[at][0].trace_id for at in nearest.argsort()[:_SHOWN]]
    drifted = found.p_value <= settings.alpha and found.effect >= settings.min_effect
    return DriftCheck(
        target=target,
        release=release,
        reference=version.ref + (f"#{settings.split}" if settings.split else ""),
        embedding=platform.embed.name,
        n=len(sample),
        n_reference=len(known),
        statistic=found.statistic,
        p_value=found.p_value,
        effect=found.effect,
        alpha=settings.alpha,
        min_effect=settings.min_effect,
        drifted=drifted,
        verdict=_verdict(found.p_value, found.effect, settings, drifted),
        trace_ids=odd,
        checked_at=now,
    )


def _release(spans: list[Span]) -> str:
    """Return the release that answered most of the calls; empty where none did."""
    seen = Counter(span.release for span in spans if span.release)
    return seen.most_common(1)[0][0] if seen else ""


def _required(release: str) -> str:
    if not release:
        raise Invalid("No release answered these calls.", hint="Name the dataset to compare with.")
    return release


def _verdict(p_value: float, effect: float, settings: DriftSettings, drifted: bool) -> str:
    figures = f"effect {effect:.3f}, p = {p_value:.3g}"
    if drifted:
        return f"The inputs have drifted from the reference ({figures})."
    if p_value <= settings.alpha:
        return f"The inputs differ from the reference, but less than what counts as drift ({figures})."
    return f"The inputs are like the reference ({figures})."

"""Keys that are used as they never were: held against their own past, window by window."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.kernel.tx import Tx
from mainspring.monitoring.attacks.models import KeySignal, KeyUse, What
from mainspring.monitoring.sample import calls
from mainspring.serving.metering.tables import usage_hours
from mainspring.stats.proportions import exact_proportion
from mainspring.workspace.tables import keys

LEAST_WINDOWS = 7
"""Earlier windows since its first use under which a key is new, and nothing about it is called unusual."""
_LEAST_DAYS = 7
_LEAST: dict[What, float] = {"requests": 20, "tokens": 5000, "cost": 0.05}
"""What is less in a window is nobody's concern."""
_UNITS: dict[What, str] = {"requests": "requests", "tokens": "tokens", "cost": "US dollars"}
_LEAST_CALLS, _LEAST_BAD = 20, 5
_LEAST_PAST = 35
_RARE = 1e-4
"""Chance under which a share is called unusual."""
_FEW_ADDRESSES = 5
"""A key that was used from more addresses is one that roams: a new one says nothing."""


@dataclass(slots=True)
class Past:
    """A key's windows: index 0 is the present one, 1 the one before."""

    requests: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    tokens: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    cost: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    models: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def windows(self) -> int:
        """How many earlier windows there are since its first use."""
        return max((back for back in self.requests if back), default=0)


@dataclass(slots=True)
class Shares:
    """What spans say of a key, in the present window and before."""

    spans: list[Span] = field(default_factory=list)
    before: int = 0
    failed_before: int = 0
    guarded_before: int = 0
    addresses_before: set[str] = field(default_factory=set)


def uses(platform: Platform, environment: str, *, hours: int, history: int, bound: float) -> list[KeyUse]:
    """Return every key that was used in the last `hours`, those used unusually first.

    Requests, tokens and cost of the window are held against the median of earlier windows of the same length, on a
    logarithmic scale, in robust standard deviations (Hampel 1974) that are never taken to be smaller than chance alone
    makes them. Shares of errors and guard hits are held against the share before, taken at the upper end of its 99 %
    interval. Models and addresses count where they never occurred before.
    """
    now = platform.clock.now()
    end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    count = max(history, -(-_LEAST_DAYS * 24 // hours))
    with platform.read() as tx:
        project, known = tx.project, _known(tx)
        pasts = _pasts(tx, environment, end, hours, count)
    start = end - timedelta(hours=hours)
    shares = _shares(platform, project, environment, start, end - timedelta(hours=hours * (count + 1)), end)
    found = [
        _use(key_id, past, shares.get(key_id, Shares()), known.get(key_id, ("", "")), bound)
        for key_id, past in pasts.items()
        if past.requests.get(0)
    ]
    order = {"unusual": 0, "new": 1, "usual": 2}
    return sorted(
        found, key=lambda one: (order[one.state], -max((s.score for s in one.signals), default=0), one.key_id)
    )


def _known(tx: Tx) -> dict[str, tuple[str, str]]:
    query = select(keys.c.id, keys.c.member, keys.c.note).where(keys.c.project == tx.project)
    return {row.id: (row.member, row.note) for row in tx.execute(query)}


def _pasts(tx: Tx, environment: str, end: datetime, hours: int, count: int) -> dict[str, Past]:
    u = usage_hours.c
    oldest = end - timedelta(hours=hours * (count + 1))
    query = select(u.key_id, u.hour, u.model, u.requests, u.input_tokens, u.output_tokens, u.cost)
    query = query.where(u.project == tx.project, u.hour >= oldest, u.hour < end, u.key_id != "")
    if environment:
        query = query.where(u.environment == environment)
    found: dict[str, Past] = defaultdict(Past)
    for row in tx.execute(query):
        back = int((end - row.hour) / timedelta(hours=hours) - 1e-9)
        past = found[row.key_id]
        past.requests[back] += row.requests
        past.tokens[back] += row.input_tokens + row.output_tokens
        past.cost[back] += row.cost / 1e9
        past.models[back].add(row.model)
    return found


def _shares(
    platform: Platform, project: str, environment: str, start: datetime, oldest: datetime, end: datetime
) -> dict[str, Shares]:
    found: dict[str, Shares] = defaultdict(Shares)
    for span in calls(platform, project, "", environment, since=start, until=end):
        found[_key(span)].spans.append(span)
    if not found:
        return found
    for span in calls(platform, project, "", environment, since=oldest, until=start):
        held = found[_key(span)]
        held.before += 1
        held.failed_before += _failed(span)
        held.guarded_before += _guarded(span)
        held.addresses_before.add(_address(span))
    return found


def _key(span: Span) -> str:
    return str(span.attributes.get("mainspring.key_id", ""))


def _failed(span: Span) -> bool:
    return span.status == "error"


def _guarded(span: Span) -> bool:
    return bool(span.attributes.get("mainspring.guard.hits"))


def _address(span: Span) -> str:
    return str(span.attributes.get("mainspring.client", ""))


def _use(key_id: str, past: Past, shares: Shares, known: tuple[str, str], bound: float) -> KeyUse:
    signals: list[KeySignal] = []
    if past.windows >= LEAST_WINDOWS:
        columns: list[tuple[What, Mapping[int, float]]] = [
            ("requests", past.requests), ("tokens", past.tokens), ("cost", past.cost)
        ]  # fmt: skip
        signals = [one for what, values in columns if (one := _volume(what, values, past.windows, bound, shares.spans))]
        signals += [one for one in (_models(past), _addresses(shares)) if one]
        if one := _share(
            "errors", "calls failed", shares, [s for s in shares.spans if _failed(s)], shares.failed_before
        ):
            signals.append(one)
        hit = [span for span in shares.spans if _guarded(span)]
        if one := _share("guard", "calls had a guard hit", shares, hit, shares.guarded_before):
            signals.append(one)
    state = "unusual" if signals else "usual" if past.windows >= LEAST_WINDOWS else "new"
    member, note = known
    return KeyUse(
        key_id=key_id,
        member=member,
        note=note,
        state=state,  # type: ignore[arg-type]
        requests=int(past.requests[0]),
        tokens=int(past.tokens[0]),
        cost=past.cost[0],
        windows=past.windows,
        signals=sorted(signals, key=lambda one: -one.score),
    )


def _volume(
    what: What, values: Mapping[int, float], windows: int, bound: float, spans: Sequence[Span]
) -> KeySignal | None:
    now = values.get(0, 0.0)
    earlier = [values.get(back, 0.0) for back in range(1, windows + 1)]
    scale = 1.0 if what == "requests" else _LEAST[what] / _LEAST["requests"]
    logs = [math.log1p(value / scale) for value in earlier]
    middle = statistics.median(logs)
    spread = 1.4826 * statistics.median(abs(one - middle) for one in logs)
    usual = statistics.median(earlier)
    # No steadier than calls that come at random would be (their number is Poisson's).
    spread = max(spread, 0.1, 1 / math.sqrt(max(1.0, usual / scale)))
    score = (math.log1p(now / scale) - middle) / spread
    if now < _LEAST[what] or now < 2 * usual or score < bound:
        return None
    sentence = f"{now:,.6g} {_UNITS[what]} in the window; the median of {windows} windows before is {usual:,.6g}."
    dear = sorted(spans, key=lambda span: -(span.cost or 0.0 if what == "cost" else span.output_tokens or 0))
    return KeySignal(what=what, now=now, usual=usual, score=round(score, 2), sentence=sentence, trace_ids=_ids(dear))


def _models(past: Past) -> KeySignal | None:
    before = set().union(*(held for back, held in past.models.items() if back))
    fresh = sorted(past.models.get(0, set()) - before)
    if not fresh:
        return None
    sentence = f"It asks {', '.join(fresh[:5])}, which it never asked in {past.windows} windows before."
    score = math.log10(past.windows + 1)
    return KeySignal(what="model", now=len(fresh), usual=len(before), score=round(score, 2), sentence=sentence)


def _addresses(shares: Shares) -> KeySignal | None:
    before = shares.addresses_before - {""}
    if shares.before < _LEAST_PAST or not 0 < len(before) <= _FEW_ADDRESSES:
        return None
    fresh = [span for span in shares.spans if _address(span) and _address(span) not in before]
    if not fresh:
        return None
    many = len({_address(span) for span in fresh})
    where = "1 address" if many == 1 else f"{many} addresses"
    sentence = f"{len(fresh)} calls come from {where} that it was never used from; {len(before)} are known."
    score = math.log10(shares.before)
    return KeySignal(
        what="address", now=many, usual=len(before), score=round(score, 2), sentence=sentence, trace_ids=_ids(fresh)
    )


def _share(what: What, words: str, shares: Shares, bad: Sequence[Span], before: int) -> KeySignal | None:
    import scipy

    n, k = len(shares.spans), len(bad)
    if n < _LEAST_CALLS or k < _LEAST_BAD or shares.before < _LEAST_PAST:
        return None
    most = exact_proportion(before, shares.before, level=0.99).high
    chance = float(scipy.special.bdtrc(k - 1, n, most))
    if chance > _RARE:
        return None
    usual = before / shares.before
    sentence = f"{k} of {n} {words} ({k / n:.1%}); before it was {usual:.1%} of {shares.before}."
    score = -math.log10(max(chance, 1e-300))
    return KeySignal(what=what, now=k / n, usual=usual, score=round(score, 2), sentence=sentence, trace_ids=_ids(bad))


def _ids(spans: Sequence[Span]) -> list[str]:
    return list(dict.fromkeys(span.trace_id for span in spans[:50]))[:5]

"""Keys that are used as they never were: held against their own past, window by window."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from mainspring import stats
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.kernel.tx import Tx
from mainspring.monitoring.attacks import usual, volumes
from mainspring.monitoring.attacks.models import KeySignal, KeyUse, What
from mainspring.monitoring.sample import calls
from mainspring.serving.metering.tables import usage_hours
from mainspring.traces.models import nanoseconds
from mainspring.workspace.tables import keys

LEAST_WINDOWS = 7
LEAST_DAYS = 14
"""Days since its first use under which a key is new, and nothing about it is called unusual."""
_DAYS, _DAYS_OF_HOURS = 56, 28
"""How far back volumes are looked at: in windows of a day or more, and in shorter ones."""
_LEAST: dict[What, float] = {"requests": 20, "tokens": 5000, "cost": 0.05}
"""What is less in a window is nobody's concern."""
_UNITS: dict[What, str] = {"requests": "requests", "tokens": "tokens", "cost": "US dollars"}
_LEAST_CALLS, _LEAST_BAD = 20, 5
_TIMES, _MORE = 2.0, 1.5
"""A volume is unusual from so many times what is expected, and so many times the largest of the windows like it."""
_RUNS = (3, 7)
"""Windows on end that volumes are looked at over, beside the present one: what goes on for days stands out from a past
of bursts, though no day does by itself, and it is no part of what it is held against."""
_EACH = 3
"""Calls from which an address counts as used now."""
_IN_HOUR = 5
"""Requests from which an hour of the day counts as used now."""
_SETTLED = 2 / 3
"""The newer part of the past: in the older one everything appears for the first time."""


@dataclass(slots=True)
class Past:
    """A key's windows: index 0 is the present one, 1 the one before."""

    requests: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    tokens: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    cost: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    models: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    hours: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Requests by the hour of the day (UTC)."""

    @property
    def windows(self) -> int:
        """How many earlier windows there are since its first use."""
        return max((back for back in self.requests if back), default=0)

    @property
    def active(self) -> list[int]:
        """The earlier windows in which it was used."""
        return [back for back, count in self.requests.items() if back and count]


@dataclass(slots=True)
class Shares:
    """What spans say of a key, in the present window and before."""

    spans: list[Span] = field(default_factory=list)
    failed: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """Of the calls before, how many failed and how many there were, by how many hours ago."""
    guarded: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    addresses: dict[str, int] = field(default_factory=dict)
    """In which window each address was first seen."""
    active: set[int] = field(default_factory=set)
    """The windows before that calls are of."""


def uses(platform: Platform, environment: str, *, hours: int, history: int, alpha: float) -> list[KeyUse]:
    """Return every key that was used in the last `hours`, those used unusually first.

    Every sign of every key is a test; Holm's correction over all of them holds the chance that any key at all is
    called unusual while all go on as before to `alpha` at one look.
    """
    now = platform.clock.now()
    end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    days = _DAYS if hours >= 24 else _DAYS_OF_HOURS
    with platform.read() as tx:
        project, known = tx.project, _known(tx)
        pasts = _pasts(tx, environment, end, hours, max(history, -(-days * 24 // hours)))
    shares = _shares(platform, project, environment, end, hours, history)
    return judged(pasts, shares, known, hours=hours, alpha=alpha)


def judged(
    pasts: Mapping[str, Past],
    shares: Mapping[str, Shares],
    known: Mapping[str, tuple[str, str]],
    *,
    hours: int,
    alpha: float,
) -> list[KeyUse]:
    """Judge keys by what is known of their windows and calls, the unusual ones first."""
    old = {
        key_id: past.windows * hours >= LEAST_DAYS * 24 and len(past.active) >= usual.LEAST_ACTIVE
        for key_id, past in pasts.items()
    }
    told = {
        key_id: _signals(past, shares.get(key_id, Shares()), hours) for key_id, past in pasts.items() if old[key_id]
    }
    every = [one for signals in told.values() for one in signals]
    adjusted = iter(stats.holm([one.chance for one in every]) if every else [])
    found = []
    for key_id, past in pasts.items():
        settled = [one.model_copy(update={"adjusted": next(adjusted)}) for one in told.get(key_id, ())]
        signals = sorted((one for one in settled if one.adjusted <= alpha), key=lambda one: one.chance)
        news = [one for one in settled if one.adjusted > alpha and one.what in ("model", "address") and one.now]
        member, note = known.get(key_id, ("", ""))
        found.append(
            KeyUse(
                key_id=key_id,
                member=member,
                note=note,
                state="unusual" if signals else "usual" if old[key_id] else "new",
                requests=int(past.requests[0]),
                tokens=int(past.tokens[0]),
                cost=past.cost[0],
                windows=past.windows,
                active=len(past.active),
                signals=signals,
                news=news,
            )
        )
    order = {"unusual": 0, "new": 1, "usual": 2}
    return sorted(
        found, key=lambda one: (order[one.state], min((s.chance for s in one.signals), default=1), one.key_id)
    )


def _known(tx: Tx) -> dict[str, tuple[str, str]]:
    query = select(keys.c.id, keys.c.member, keys.c.note).where(keys.c.project == tx.project)
    return {row.id: (row.member, row.note) for row in tx.execute(query)}


def _pasts(tx: Tx, environment: str, end: datetime, hours: int, count: int) -> dict[str, Past]:
    """Return the windows of every key that was used in the present one."""
    u = usage_hours.c
    mine = [u.project == tx.project, u.hour < end, u.key_id != ""]
    if environment:
        mine.append(u.environment == environment)
    present = select(u.key_id).where(*mine, u.hour >= end - timedelta(hours=hours), u.requests > 0)
    query = select(u.key_id, u.hour, u.model, u.requests, u.input_tokens, u.output_tokens, u.cost)
    query = query.where(*mine, u.hour >= end - timedelta(hours=hours * (count + 1)), u.key_id.in_(present))
    found: dict[str, Past] = defaultdict(Past)
    for row in tx.execute(query):
        back = int((end - row.hour) / timedelta(hours=hours) - 1e-9)
        past = found[row.key_id]
        past.requests[back] += row.requests
        past.tokens[back] += row.input_tokens + row.output_tokens
        past.cost[back] += row.cost / 1e9
        past.models[back][row.model] += row.requests
        past.hours[back][row.hour.hour] += row.requests
    return found


def _shares(
    platform: Platform, project: str, environment: str, end: datetime, hours: int, history: int
) -> dict[str, Shares]:
    found: dict[str, Shares] = defaultdict(Shares)
    start = end - timedelta(hours=hours)
    for span in calls(platform, project, "", environment, since=start, until=min(end, platform.clock.now())):
        found[_key(span)].spans.append(span)
    if not found:
        return found
    last, hour = nanoseconds(end), 3_600_000_000_000
    oldest = end - timedelta(hours=hours * (history + 1))
    for span in calls(platform, project, "", environment, since=oldest, until=start):
        held, back = found[_key(span)], (last - span.start_ns - 1) // hour
        for counts, hit in ((held.failed[back], _failed(span)), (held.guarded[back], _guarded(span))):
            counts[0] += hit
            counts[1] += 1
        held.active.add(back // hours)
        if address := _address(span):
            held.addresses[address] = back // hours
    return found


def _key(span: Span) -> str:
    return str(span.attributes.get("mainspring.key_id", ""))


def _failed(span: Span) -> bool:
    return span.status == "error"


def _guarded(span: Span) -> bool:
    return bool(span.attributes.get("mainspring.guard.hits"))


def _address(span: Span) -> str:
    return str(span.attributes.get("mainspring.client", ""))


def _signals(past: Past, shares: Shares, hours: int) -> list[KeySignal]:
    """Return everything that is looked at, with its chance: what is as usual has a large one."""
    week, day = 168 // hours if 168 % hours == 0 else 1, 24 // hours if 24 % hours == 0 else 1
    columns: list[tuple[What, Mapping[int, float]]] = [
        ("requests", past.requests), ("tokens", past.tokens), ("cost", past.cost)
    ]  # fmt: skip
    found = [_volume(what, values, past.windows, (week, day), shares.spans) for what, values in columns]
    found.append(_share("errors", "calls failed", _failed, shares.spans, _blocks(shares.failed, hours)))
    found.append(_share("guard", "calls had a guard hit", _guarded, shares.spans, _blocks(shares.guarded, hours)))
    return [*found, _models(past), _addresses(past, shares)]


def _volume(
    what: What, values: Mapping[int, float], windows: int, periods: Sequence[int], spans: Sequence[Span]
) -> KeySignal:
    now, scale = values.get(0, 0.0), 1.0 if what == "requests" else _LEAST[what] / _LEAST["requests"]
    tried = [volumes.forecast(values, windows, periods=periods, scale=scale, length=length) for length in (1, *_RUNS)]
    if tried[0] is None:
        return KeySignal(what=what, now=now, usual=0.0, chance=1.0, adjusted=1.0, sentence="")
    there = [(length, told) for length, told in zip((1, *_RUNS), tried, strict=True) if told is not None]
    # Half of the chance of a false alarm is the present window's, the other half that of the runs that there are.
    parts = [min(2, len(there)), *[2 * (len(there) - 1)] * (len(there) - 1)]
    chances = [part * _chance(told, now, _LEAST[what]) for part, (_, told) in zip(parts, there, strict=True)]
    chance = min(1.0, *chances)
    length, told = there[chances.index(min(chances))]
    where = "in the window" if length == 1 else f"in the last {length} windows"
    sentence = f"{told.now:,.6g} {_UNITS[what]} {where}; {told.usual:,.3g} are expected after the windows before."
    dear = sorted(spans, key=lambda span: -(span.cost or 0.0 if what == "cost" else span.output_tokens or 0))
    return KeySignal(
        what=what, now=told.now, usual=told.usual, windows=length, chance=chance, adjusted=1.0, sentence=sentence,
        trace_ids=_ids(dear),
    )  # fmt: skip


def _chance(told: volumes.Forecast, now: float, least: float) -> float:
    """Return the chance of a volume; 1 where it is not large, or where what made it large is over."""
    large = told.now >= max(least * told.windows, _TIMES * told.usual, _MORE * told.most)
    return told.chance if large and now >= _TIMES * told.usual_now else 1.0


def _share(
    what: What, words: str, wanted: Callable[[Span], bool], spans: Sequence[Span], blocks: Sequence[tuple[int, int]]
) -> KeySignal:
    bad = [span for span in spans if wanted(span)]
    before = sum(m for _, m in blocks)
    n, k, share = len(spans), len(bad), sum(hits for hits, _ in blocks) / before if before else 0.0
    chance = usual.share(k, n, blocks) if n >= _LEAST_CALLS and k >= _LEAST_BAD else 1.0
    sentence = f"{k} of {n} {words} ({k / n if n else 0:.1%}); before it was {share:.1%} of {before}."
    return KeySignal(
        what=what, now=k / n if n else 0.0, usual=share, chance=chance, adjusted=1.0, sentence=sentence,
        trace_ids=_ids(bad),
    )  # fmt: skip


def _blocks(counts: Mapping[int, Sequence[int]], hours: int) -> list[tuple[int, int]]:
    """Return hits and calls by window, or by hour where the calls that were looked at go back too few windows."""
    for length in (hours, 1):
        sums: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for back, (hits, many) in counts.items():
            sums[back // length][0] += hits
            sums[back // length][1] += many
        if len(sums) >= usual.LEAST_BLOCKS:
            break
    return [(hits, many) for hits, many in sums.values()]


def _models(past: Past) -> KeySignal:
    first: dict[str, int] = {}
    for back in past.active:
        for model in past.models[back]:
            first[model] = max(back, first.get(model, 0))
    fresh = sorted(name for name, count in past.models[0].items() if name not in first and count >= _LEAST["requests"])
    chance = usual.fresh(len(fresh), *_arrivals(first.values(), past.active))
    sentence = f"It asks {', '.join(fresh[:5])}, which it never asked in {past.windows} windows before."
    return KeySignal(what="model", now=len(fresh), usual=len(first), chance=chance, adjusted=1.0, sentence=sentence)


def _addresses(past: Past, shares: Shares) -> KeySignal:
    """Hold new addresses, and with them hours of the day in which the key was never used, against the past."""
    counts = Counter(_address(span) for span in shares.spans)
    fresh = {name for name, n in counts.items() if name and name not in shares.addresses and n >= _EACH}
    mine = [span for span in shares.spans if _address(span) in fresh]
    chance, odd = 1.0, 0
    if len(mine) >= _LEAST_CALLS and shares.addresses:
        hours: dict[int, int] = {}
        for back in past.active:
            for hour in past.hours[back]:
                hours[hour] = max(back, hours.get(hour, 0))
        odd = sum(hour not in hours and count >= _IN_HOUR for hour, count in past.hours[0].items())
        here = usual.fresh(len(fresh), *_arrivals(shares.addresses.values(), shares.active))
        chance = usual.together(here, usual.fresh(odd, *_arrivals(hours.values(), past.active)))
    where = "1 address" if len(fresh) == 1 else f"{len(fresh)} addresses"
    sentence = f"{len(mine)} calls come from {where} that it was never used from; {len(shares.addresses)} are known."
    if odd:
        sentence += f" It is used in {odd} hours of the day in which it never was."
    return KeySignal(
        what="address", now=len(fresh), usual=len(shares.addresses), chance=chance, adjusted=1.0, sentence=sentence,
        trace_ids=_ids(mine),
    )  # fmt: skip


def _arrivals(firsts: Iterable[int], active: Iterable[int]) -> tuple[int, float]:
    """Return how many things appeared first in the newer part of a past, and of how many active windows that is."""
    windows = list(active)
    newer = _SETTLED * max(windows, default=0)
    return sum(back <= newer for back in firsts), float(sum(back <= newer for back in windows))


def _ids(spans: Sequence[Span]) -> list[str]:
    return list(dict.fromkeys(span.trace_id for span in spans[:50]))[:5]

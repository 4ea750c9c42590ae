"""What is seen of attacks in live traffic, as records."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from mainspring.kernel.records import Record

What = Literal["requests", "tokens", "cost", "errors", "guard", "model", "address"]


class ClusterExample(Record):
    """A call of a cluster."""

    trace_id: str
    at: datetime
    action: str
    """What the guard did: `log`, `mask` or `block`."""
    kinds: list[str]
    text: str
    """The beginning of what it was found in, as it was stored; empty where texts are not kept."""


class DayCount(Record):
    """How many calls began on a day (UTC)."""

    day: date
    count: int


class AttackCluster(Record):
    """Calls in which the guard found much the same."""

    name: str
    """The words that tell its texts from those of other clusters."""
    words: list[str]
    count: int
    kinds: dict[str, int]
    """Calls by detector and kind: `injection override`."""
    actions: dict[str, int]
    """Calls by the strongest thing that the guard did."""
    sources: dict[str, int]
    """Calls by where it stood: `user`, `tool` (an indirect injection), or `answer`."""
    keys: dict[str, int]
    """Calls by key."""
    users: int
    deployments: list[str]
    first_at: datetime
    last_at: datetime
    days: list[DayCount]
    examples: list[ClusterExample]
    """The newest, no two alike while there are others."""


class AttackClusters(Record):
    """Guard hits by what they are about."""

    clusters: list[AttackCluster]
    """The largest first."""
    hits: int
    """Calls with a hit that were grouped: the newest."""
    looked_at: int
    """Calls of the time that were looked at."""
    more: bool
    """Whether there were more calls, or hits, than were looked at."""
    grouped_by: str
    """Name of the embedding model; `kinds` where there is none, and only kinds were compared."""


class KeySignal(Record):
    """One thing about a key that is not as it was."""

    what: What
    now: float
    usual: float
    """What was to be expected, or the share over the calls before; for models and addresses how many were known."""
    windows: int = 1
    """Windows on end, the present one the last, that a volume is of."""
    chance: float
    """Of so much or more, if the key went on as before."""
    adjusted: float
    """The same after Holm's correction for everything that was looked at of every key."""
    sentence: str
    trace_ids: list[str] = []


class KeyUse(Record):
    """How a key is used now, against its own past."""

    key_id: str
    member: str
    note: str
    state: Literal["unusual", "usual", "new"]
    """`new`: under two weeks old, or used in fewer than five earlier windows, which is too little to say."""
    requests: int
    tokens: int
    cost: float
    """US dollars."""
    windows: int
    """Earlier windows since it was first used that it is held against."""
    active: int
    """Of these, how many it was used in."""
    signals: list[KeySignal]
    """What is unusual, the least likely first."""
    news: list[KeySignal] = []
    """Models and addresses that are new, and are no sign by themselves."""


class Runaway(Record):
    """An answer that ran on, or a trace that went round in circles."""

    trace_id: str
    at: datetime
    why: Literal["long", "loop", "calls"]
    """`long`: more tokens than may be. `loop`: it ends in one piece repeated. `calls`: a trace of too many calls."""
    output_tokens: int
    calls: int
    """Model calls in its trace, among those looked at."""
    cost: float
    key_id: str
    user_id: str
    deployment: str
    model: str

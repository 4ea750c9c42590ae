"""Monitors of attacks: keys that are used as they never were, and consumption without bound."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Record
from mainspring.monitoring.attacks import keys, runaways
from mainspring.monitoring.checks import Count, check
from mainspring.monitoring.models import Finding, Monitor
from mainspring.monitoring.sample import Watched, calls


class KeyOptions(Record):
    """Settings of a keys monitor."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """Chance of a false alarm at one look, over all signs of all keys together."""
    history: Annotated[int, Field(ge=keys.LEAST_WINDOWS, le=336)] = 28
    """Earlier windows whose calls are looked at; of volumes eight weeks are, and of windows under a day four."""


@check("keys", KeyOptions)
def unusual_keys(platform: Platform, monitor: Monitor, options: KeyOptions) -> Finding:
    """A key is used as it never was: its rate, tokens, cost, errors, guard hits, models or addresses."""
    hours = max(1, round(monitor.window_minutes / 60))
    found = keys.uses(platform, monitor.environment, hours=hours, history=options.history, alpha=options.alpha)
    unusual = [one for one in found if one.state == "unusual"]
    judged = [one for one in found if one.state != "new"]
    first = f" {unusual[0].member or unusual[0].key_id}: {unusual[0].signals[0].sentence}" if unusual else ""
    state = "firing" if unusual else "ok" if judged else "insufficient"
    return Finding(
        state=state,  # type: ignore[arg-type]
        value=float(len(unusual)),
        threshold=0.0,
        n=len(judged),
        summary=f"{len(unusual)} of {len(judged)} keys are used as they never were.{first}"[:2000],
        detail={"keys": [one.model_dump(mode="json") for one in unusual[:10]]},
        trace_ids=list(dict.fromkeys(t for one in unusual for s in one.signals for t in s.trace_ids))[:5],
    )


class ConsumptionOptions(Watched):
    """Settings of a consumption monitor."""

    max_output_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 4000
    """An answer that is longer runs on."""
    max_calls: Annotated[int, Field(ge=1, le=10_000)] = 50
    """A trace with more calls of models goes round in circles."""
    max_count: Count = 0
    """So many of them may be."""


@check("consumption", ConsumptionOptions)
def consumption(platform: Platform, monitor: Monitor, options: ConsumptionOptions) -> Finding:
    """Answers run on or repeat themselves without end, or traces make far too many calls."""
    until = platform.clock.now()
    since = until - timedelta(minutes=monitor.window_minutes)
    with platform.read() as tx:
        project = tx.project
    where, traffic = monitor.environment, options.traffic
    seen = list(calls(platform, project, monitor.target, where, since=since, until=until, traffic=traffic))
    found = runaways.of(seen, options.max_output_tokens, options.max_calls)
    counts = {why: sum(one.why == why for one in found) for why in ("long", "loop", "calls")}
    return Finding(
        state="firing" if len(found) > options.max_count else "ok",
        value=float(len(found)),
        threshold=float(options.max_count),
        n=len(seen),
        summary=f"Of {len(seen)} calls {counts['long']} ran on over {options.max_output_tokens} tokens and "
        f"{counts['loop']} repeated themselves; {counts['calls']} traces made more than {options.max_calls} calls.",
        detail=counts,
        trace_ids=runaways.trace_ids(found),
    )

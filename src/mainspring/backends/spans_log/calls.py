"""Sums of calls, put together from the rows that a store answers with."""

from __future__ import annotations

from typing import Any

from mainspring.kernel.spans import CallTotals

_SUMS = CallTotals.__struct_fields__[2:13]


def gathered(rows: list[tuple[Any, ...]], firsts: list[tuple[Any, ...]]) -> list[CallTotals]:
    """Join rows (at, group, bucket, sums in order of the fields) and first tokens (at, group, bucket, number)."""
    found: dict[tuple[int, str | None], CallTotals] = {}
    for at, group, bucket, *sums in rows:
        one = found.setdefault((at, group), CallTotals(at_ns=at, group=group))
        if sums[0]:
            one.latencies[bucket] = sums[0]
        for name, value in zip(_SUMS, sums, strict=True):
            setattr(one, name, getattr(one, name) + value)
    for at, group, bucket, number in firsts:
        found[at, group].first_tokens[bucket] = number
    return sorted(found.values(), key=lambda one: (one.at_ns, one.group is None, one.group or ""))

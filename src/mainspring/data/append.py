"""Appending: a few rows more at the end of a dataset, each with where it came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mainspring.data import rows, store
from mainspring.data.models import DatasetVersion, Row
from mainspring.kernel.errors import Conflict
from mainspring.kernel.platform import Platform

_TRACE = re.compile(r"[0-9a-f]{32}")


def append(platform: Platform, name: str, added: Sequence[Row], note: str) -> DatasetVersion:
    """Store a version of the latest one with more rows. Raises Invalid, or Conflict where another came in between."""
    with platform.read() as tx:
        before = store.latest(tx, name)
    writer = rows.Writer()
    sources: list[store.Source] = []
    if before is not None:
        for row in rows.read(platform.files, before.content):
            writer.add(row)
            sources.append((row.id, "row", f"{before.ref}#{row.id}"))
    for number, row in enumerate(added, 1):
        writer.add(row, f"Row {number}")
        trace: Any = row.meta.get("trace_id")
        if isinstance(trace, str) and _TRACE.fullmatch(trace):
            sources.append((row.id, "trace", trace))
    content = writer.close(platform.files)
    with platform.begin() as tx:
        now = store.latest(tx, name)
        if (now and now.ref) != (before and before.ref):
            raise Conflict(f"dataset/{name} got another version at the same time.", hint="Try again.")
        return store.commit(tx, name, content, "append", sources, note=note)

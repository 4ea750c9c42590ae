"""The port of the span store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mainspring.kernel.spans import (
    CallTotals,
    SessionSummary,
    Span,
    SpanFilter,
    SpanLine,
    TraceSummary,
    Usage,
    UserSummary,
)


class Spans(Protocol):
    """Where spans live. A return from `append` means that they are on disk, or on their way there for good."""

    def append(self, spans: Sequence[Span], *, synced: bool = True) -> None:
        """Store durably (fsync) before returning; a span seen before (trace id, span id) is replaced.

        One that is running never replaces one that has ended, in whatever order they come. What need not be `synced`
        survives the end of this process all the same; a loss of power may take the last second of it.
        """
        ...

    @property
    def crowded(self) -> bool:
        """Whether so much waits to become visible that who can wait should."""
        ...

    def flush(self) -> None:
        """Make everything that this process appended visible to queries; that of others follows by itself."""
        ...

    def traces(
        self, project: str, where: SpanFilter, *, limit: int, cursor: str = ""
    ) -> tuple[list[TraceSummary], str]:
        """Return one page of traces, newest first, and the next cursor (empty at the end).

        That is by start, and at one start by id; where words are searched for, by when each trace first arrived. With
        `attributes` a page may be short, or empty, though more follow: each looks at a bounded number of spans.
        """
        ...

    def histogram(self, project: str, where: SpanFilter, edges: Sequence[int]) -> list[tuple[int, int] | None]:
        """Count traces, and those with an error, that began between each two of the rising times `edges`.

        Newest first; None for what could not be counted within some seconds. `query` and `attributes` do not count.
        """
        ...

    def trace(self, project: str, trace_id: str) -> list[Span]:
        """Return a trace's spans in order of start; empty where it is unknown."""
        ...

    def outline(self, project: str, trace_id: str) -> list[SpanLine]:
        """Return a trace's spans in order of start, without their texts; empty where it is unknown."""
        ...

    def span(self, project: str, trace_id: str, span_id: str) -> Span | None:
        """Return one span of a trace, or None."""
        ...

    def scan(self, project: str, where: SpanFilter, *, limit: int) -> Iterator[Span]:
        """Yield spans that match, newest first, at most `limit`; a query's words must all stand in the span itself.

        Running ones come only where the filter asks for that status.
        """
        ...

    def sessions(
        self, project: str, where: SpanFilter, *, limit: int, cursor: str = ""
    ) -> tuple[list[SessionSummary], str]:
        """Return one page of sessions, last active first, and the next cursor (empty at the end).

        Of the filter `session_id`, `user_id`, `environment`, `since_ns` and `until_ns` count.
        """
        ...

    def users(self, project: str, where: SpanFilter, *, limit: int, cursor: str = "") -> tuple[list[UserSummary], str]:
        """Return one page of users, last seen first, and the next cursor (empty at the end).

        Of the filter `user_id`, `since_ns` and `until_ns` count: who was seen at a time within them.
        """
        ...

    def usage(self, project: str, where: SpanFilter) -> list[Usage]:
        """Return hourly totals of ended spans from `since_ns` to `until_ns`, narrowed by the dimensions of `Usage`."""
        ...

    def calls(
        self, project: str, where: SpanFilter, *, by: str = "", step_ns: int, groups: int = 10
    ) -> list[CallTotals]:
        """Return sums of ended model calls by steps from `since_ns` on, and by a dimension where one is named.

        Of a call that client and gateway both report the inner one counts. The `groups` with most calls are kept
        apart, the rest is one. Of the filter words, `user_id`, `status` and the times count. Raises Invalid.
        """
        ...

    def delete(self, project: str, trace_ids: Sequence[str]) -> int:
        """Erase traces everywhere, write-ahead file and search index included; return the number of spans."""
        ...

    def stats(self) -> Mapping[str, int]:
        """Return `spans`, `traces`, `bytes` and `pending` (appended, not yet visible)."""
        ...

    def backup(self, target: Path) -> None:
        """Write a consistent copy into the file `target` while others go on writing."""
        ...

    def restore(self, source: Path) -> None:
        """Replace the whole content by a copy that `backup` wrote; no other process may be connected."""
        ...

    def close(self) -> None:
        """Flush and release."""
        ...

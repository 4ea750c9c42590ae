"""Comments: what members write to each other about a trace or a span of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints
from sqlalchemy import RowMapping, delete, func, insert, select

from mainspring.kernel.errors import Denied, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Page, paginate
from mainspring.kernel.service import Service
from mainspring.kernel.tx import Tx
from mainspring.traces.explored import Comment
from mainspring.traces.models import SpanId, TraceId
from mainspring.traces.tables import comments

_CHUNK = 500
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
CommentId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]


class Comments(Service):
    """Comments on traces."""

    noun = "comment"

    @operation("POST /comments", permission="comment.write", status=201)
    def create(self, trace_id: TraceId, text: Words, *, span_id: SpanId | None = None) -> Comment:
        """Write something about a trace, or about a span of it."""
        if not self.platform.spans.outline(self.caller.project, trace_id):
            raise NotFound(f"There is no trace {trace_id}.", hint="`mainspring trace list` shows the latest.")
        with self.begin() as tx:
            made = Comment(
                id=tx.new_id(), trace_id=trace_id, span_id=span_id or "", text=text.strip(), created_at=tx.now,
                created_by=tx.caller.member,
            )  # fmt: skip
            tx.execute(insert(comments).values(project=tx.project, **made.model_dump()))
            return made

    @operation("GET /comments", permission="comment.read", mcp=True)
    def list_(self, *, trace_id: TraceId | None = None, limit: Limit = 100, cursor: Cursor = "") -> Page[Comment]:
        """List comments, newest first, of one trace or of all."""
        with self.read() as tx:
            query = select(comments).where(comments.c.project == tx.project)
            if trace_id:
                query = query.where(comments.c.trace_id == trace_id)
            rows, following = paginate(tx, query, comments.c.id, limit, cursor)
        return Page[Comment](items=[_shown(row) for row in rows], next_cursor=following)

    @operation("DELETE /comments/{comment_id}", permission="comment.write")
    def delete(self, comment_id: CommentId) -> Comment:
        """Take a comment back. Only who wrote it may, or an admin."""
        with self.begin() as tx:
            mine = (comments.c.project == tx.project) & (comments.c.id == comment_id)
            row = tx.execute(select(comments).where(mine)).mappings().one_or_none()
            if row is None:
                raise NotFound(f"There is no comment {comment_id}.", hint="`mainspring comment list` shows them.")
            if row["created_by"] != tx.caller.member and not tx.caller.may("comment.delete"):
                raise Denied(f"{row['created_by']} wrote this comment.", hint="Ask them, or an admin.")
            tx.execute(delete(comments).where(mine))
            return _shown(row)


def erase(tx: Tx, trace_ids: Sequence[str], *, really: bool = True) -> int:
    """Remove the comments on traces; return how many there were."""
    count = 0
    for start in range(0, len(trace_ids), _CHUNK):
        mine = (comments.c.project == tx.project) & comments.c.trace_id.in_(trace_ids[start : start + _CHUNK])
        if really:
            count += tx.execute(delete(comments).where(mine)).rowcount
        else:
            count += tx.execute(select(func.count()).where(mine)).scalar_one()
    return count


def _shown(row: RowMapping) -> Comment:
    return Comment(**{name: row[name] for name in Comment.model_fields})

"""Erasing: panels that show the calls of one user leave their boards with the user."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from mainspring.kernel import access, hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.monitoring.boards.tables import boards


def erase(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Take the panels of a user off their boards, and a board that has no other away; the hook of boards."""
    if not request.user_id:
        return 0
    count = 0
    with access.acting_as(access.system(request.project)), platform.begin() as tx:
        for row in tx.execute(select(boards.c.id, boards.c.panels).where(boards.c.project == tx.project)).all():
            left = [panel for panel in row.panels if panel.get("where", {}).get("user") != request.user_id]
            count += len(row.panels) - len(left)
            if really and len(left) < len(row.panels):
                mine = boards.c.id == row.id
                tx.execute(update(boards).where(mine).values(panels=left) if left else delete(boards).where(mine))
    return count


hooks.erasable("boards", erase)

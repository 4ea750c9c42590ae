"""What the worker does for serving: looks at the canaries that run, and erases from the cache."""

from __future__ import annotations

from sqlalchemy import select

from mainspring.kernel import hooks
from mainspring.serving.cache import erasure  # noqa: F401 - importing it registers its hook
from mainspring.serving.judging import judge_due
from mainspring.serving.tables import canaries

hooks.periodic("serving.canaries", 2.0, judge_due, select(canaries.c.id).where(canaries.c.state == "running"))

"""A runner that executes a run at once, in the caller's own process: for tests and notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.kernel import jobs
from mainspring.kernel.settings import Settings

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform


class InlineRunner:
    """The Runner port without a process of its own."""

    def __init__(self) -> None:
        self.platform: Platform | None = None

    def submit(self, run_id: str) -> None:
        """Execute the run now."""
        assert self.platform is not None, "set the platform first"
        jobs.execute(self.platform, run_id)

    def cancel(self, run_id: str) -> None:
        """Do nothing: the run's own state says it."""


def open_runner(url: str, home: Path, settings: Settings) -> InlineRunner:
    """Make one."""
    return InlineRunner()

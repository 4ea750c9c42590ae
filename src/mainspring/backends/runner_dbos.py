"""Durable runs through DBOS: a workflow for each attempt of a run, recovered where its process died.

The API needs no client of it: a run is queued by its row, in the transaction that made it, and the worker hands queued
rows to DBOS under an id of their own, so that handing one over twice is once.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.kernel import jobs
from mainspring.kernel.settings import Settings

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

QUEUE = "runs"
SCHEMA = "1"
"""Version under which workflows are recovered: raised only where an old one could not go on. Never the code's hash."""
_POLL_SECONDS = 0.4
"""Between two looks for queued runs: each costs milliseconds, also where there is nothing to do."""
_log = logging.getLogger(__name__)


def open_runner(url: str, home: Path, settings: Settings) -> DbosRunner:
    """Keep DBOS's own state in jobs.db in the home folder, or in the records' PostgreSQL under the schema `dbos`."""
    records = str(settings["records.url"])
    system = records if records.startswith("postgresql") else f"sqlite:///{home / 'jobs.db'}"
    return DbosRunner(url or system, int(settings["worker.concurrency"]))


class DbosRunner:
    """The Runner port; `start` makes this process the one that executes."""

    def __init__(self, database: str, concurrency: int) -> None:
        self._database = database
        self._concurrency = concurrency
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def submit(self, run_id: str) -> None:
        """Do nothing: the worker finds the queued row."""

    def cancel(self, run_id: str) -> None:
        """Do nothing: the run's own state says it."""

    def start(self, platform: Platform) -> None:
        """Recover what a crash cut off, then execute what is queued, until `stop`."""
        from dbos import DBOS, DBOSConfig, SetWorkflowID

        config: DBOSConfig = {
            "name": "mainspring",
            "system_database_url": self._database.replace("postgresql+psycopg", "postgresql"),
            "application_version": SCHEMA,
            "executor_id": "worker",
            "run_admin_server": False,
            "log_level": "WARNING",
        }
        DBOS(config=config)

        def perform(run_id: str) -> None:
            DBOS.run_step({"name": "execute"}, jobs.execute, platform, run_id)

        workflow = DBOS.workflow(name="run", max_recovery_attempts=1000)(perform)

        DBOS.listen_queues([QUEUE])
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=_POLL_SECONDS)

        def hand_over() -> None:
            while not self._stopped.wait(_POLL_SECONDS):
                try:
                    for run_id, attempt in jobs.queued(platform):
                        with SetWorkflowID(f"{run_id}.{attempt}"):
                            DBOS.enqueue_workflow(QUEUE, workflow, run_id)
                except Exception:
                    _log.exception("queued runs could not be handed over; trying again")
                    self._stopped.wait(1.0)

        self._thread = threading.Thread(target=hand_over, name="runs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop taking runs; one under way is cut off and goes on at the next start."""
        from dbos import DBOS

        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        DBOS.destroy()

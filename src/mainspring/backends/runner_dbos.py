"""Durable runs through DBOS: a workflow for each attempt of a run, recovered where its process died.

The API needs no client of it: a run is queued by its row, in the transaction that made it, and the worker hands queued
rows to DBOS under an id of their own, so that handing one over twice is once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.kernel import jobs
from mainspring.kernel.settings import Settings

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

_NAME, QUEUE = "mainspring", "runs"
SCHEMA = "1"
"""Version under which workflows are recovered: raised only where an old one could not go on. Never the code's hash."""
_POLL_SECONDS = 0.1
"""Between two looks of DBOS for runs that were handed over to it, while it is up."""
_LOOK_SECONDS = 10.0
"""Between two looks for queued runs of which nobody told."""
_REST_SECONDS = 30.0
"""How long DBOS stays up with nothing to do."""
_log = logging.getLogger(__name__)


def open_runner(url: str, home: Path, settings: Settings) -> DbosRunner:
    """Keep DBOS's own state in jobs.db in the home folder, or in the records' PostgreSQL under the schema `dbos`."""
    records = str(settings["records.url"])
    system = records if records.startswith("postgresql") else f"sqlite:///{home / 'jobs.db'}"
    return DbosRunner(url or system, int(settings["worker.concurrency"]))


class DbosRunner:
    """The Runner port; `start` makes this process the one that executes.

    DBOS is up as long as there is something to do: with nothing to do it would look into its tables all the time.
    """

    def __init__(self, database: str, concurrency: int) -> None:
        self._database = database
        self._concurrency = concurrency
        self._stopped = threading.Event()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._workflow: Callable[[str], None] | None = None
        """What DBOS executes, as long as it is up."""
        self._prepared = False

    def submit(self, run_id: str) -> None:
        """Do nothing: the worker finds the queued row."""

    def cancel(self, run_id: str) -> None:
        """Do nothing: the run's own state says it."""

    def start(self, platform: Platform) -> None:
        """Recover what a crash cut off, then execute what is queued, until `stop`."""
        self._thread = threading.Thread(target=self._work, args=(platform,), name="runs", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Look for queued runs now, rather than in a moment."""
        self._news.set()

    def stop(self) -> None:
        """Stop taking runs; one under way is cut off and goes on at the next start."""
        self._stopped.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._rest()

    def _work(self, platform: Platform) -> None:
        used, calm = time.monotonic(), None
        while not self._stopped.is_set():
            self._news.clear()
            try:
                version = platform.records.version()
                found = jobs.unfinished(platform) if version is None or version != calm else []
                calm = None if found else version
                if found:
                    used = time.monotonic()
                    self._hand_over(platform, found)
                elif time.monotonic() - used > _REST_SECONDS:
                    self._rest()
            except Exception:
                _log.exception("queued runs could not be handed over; trying again")
                self._stopped.wait(1.0)
            self._news.wait(_LOOK_SECONDS)

    def _hand_over(self, platform: Platform, unfinished: Sequence[tuple[str, int, str]]) -> None:
        """Bring DBOS up, which takes up again what was cut off, and tell it what is queued."""
        if self._workflow is None:
            self._workflow = self._launch(platform)
        from dbos import DBOS, SetWorkflowID

        for run_id, attempt, state in unfinished:
            if state != "queued":
                continue
            with SetWorkflowID(f"{run_id}.{attempt}"):
                DBOS.enqueue_workflow(QUEUE, self._workflow, run_id)

    def _launch(self, platform: Platform) -> Callable[[str], None]:
        from dbos import DBOS, DBOSClient, DBOSConfig

        url = self._database.replace("postgresql+psycopg", "postgresql")
        if not self._prepared:
            # DBOS looks for queues when it comes up, and then once a second: a run that waits should not wait for that.
            DBOS.migrate(url)
            client = DBOSClient(system_database_url=url, application_name=_NAME)
            client.register_queue(QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=_POLL_SECONDS)
            client.destroy()
            self._prepared = True
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_url": url,
            "application_version": SCHEMA,
            "executor_id": "worker",
            "run_admin_server": False,
            "log_level": "WARNING",
        }
        DBOS(config=config)

        def perform(run_id: str) -> None:
            DBOS.run_step({"name": "execute"}, jobs.execute, platform, run_id)

        workflow: Callable[[str], None] = DBOS.workflow(name="run", max_recovery_attempts=1000)(perform)
        try:
            DBOS.listen_queues([QUEUE])
            DBOS.launch()
        except BaseException:
            DBOS.destroy(destroy_registry=True)
            raise
        return workflow

    def _rest(self) -> None:
        if self._workflow is not None:
            from dbos import DBOS

            self._workflow = None
            DBOS.destroy(destroy_registry=True)

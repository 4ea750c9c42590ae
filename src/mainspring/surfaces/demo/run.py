"""The demonstration from start to end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from mainspring.kernel.errors import MissingExtra, Unavailable
from mainspring.kernel.settings import Settings
from mainspring.registry.pull import pull
from mainspring.surfaces.client import Client
from mainspring.surfaces.demo import improve, operate, prepare
from mainspring.surfaces.demo.cast import Inbox, Stage, invite
from mainspring.surfaces.demo.plan import FULL, QUICK
from mainspring.surfaces.demo.report import Report, people
from mainspring.surfaces.processes.home import HomeLock
from mainspring.surfaces.processes.stop import stop_server
from mainspring.surfaces.processes.supervisor import start_detached

STAGES = (
    prepare.data,
    prepare.prompts,
    prepare.baseline,
    improve.tune,
    improve.evidence,
    improve.review,
    operate.serve,
    operate.monitor,
    operate.close,
)


def demonstrate(config: Settings, flags: Mapping[str, Any], *, quick: bool, serve: bool) -> dict[str, Any]:
    """Turn the loop once around and return the report. Raises whatever a stage ends with; the server stops then."""
    require()
    for name in ("smollm2", "minilm"):
        pull(name, config.models)
    began = time.monotonic()
    with server(config, flags, stay=serve) as client, closing(Inbox()) as inbox:
        report = Report(config.home)
        stage = Stage(client, invite(client), QUICK if quick else FULL, report, inbox)
        with closing(stage.reviewer):
            try:
                for step in STAGES:
                    step(stage)
            finally:
                report.parts["seconds"] = round(time.monotonic() - began, 1)
                report.write()
        hold(report.document())
        people.rule(f"[bold]The loop took {report.parts['seconds']:.0f} s", align="left")
        people.print(f"Report: {report.path}")
        if serve:
            people.print(f"The UI is at [bold]{client.url}[/bold]; sign in with this key:\n")
            people.print(f"  {client.api_key}\n", soft_wrap=True)  # to be copied in one piece
            people.print("Webhooks to this machine are allowed until it is restarted.")
            people.print(f"`mainspring down --home {config.home}` stops it.")
    return report.document()


def hold(document: Mapping[str, Any]) -> None:
    """Raise Unavailable where the loop went round and yet did not do what it is there to show."""
    monitoring, serving = document["monitoring"], document["serving"]
    claims = {
        "every call is answered": serving["errors"] == 0,
        "the attack is found and logged": monitoring["guard_hits"] >= 1,
        "shifted traffic is drift": monitoring["drift"]["drifted"],
        "usual traffic is none": not monitoring["drift"]["usual"]["drifted"],
        "drift raises an alert": bool(monitoring["alerts"]),
        "the release is approved": document["release"]["state"] == "approved",
        "the audit log is whole": document["audit"]["verified"],
    }
    broken = [claim for claim, held in claims.items() if not held]
    if broken:
        raise Unavailable(f"The loop does not show that {'; '.join(broken)}.", hint="The report has the figures.")


def require() -> None:
    """Raise MissingExtra where the demonstration's optional packages are not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None or find_spec("trl") is None:
        raise MissingExtra.of("tune", "The demonstration, which tunes a model,")
    if find_spec("openai") is None:
        raise MissingExtra.of("demo", "The demonstration, which calls the gateway by the openai client,")


@contextmanager
def server(config: Settings, flags: Mapping[str, Any], *, stay: bool) -> Iterator[Client]:
    """Use the server that runs on the home folder, or start one; stop it at the end unless it is to stay."""
    running = HomeLock.holder(config.home) is not None
    if not running:
        # The receiver of the alerts listens on loopback, where webhooks do not go unless they are let.
        os.environ["MAINSPRING_WEBHOOK_ALLOW_PRIVATE"] = "true"
        start_detached(config, flags)
    done = False
    try:
        os.environ["MAINSPRING_HOME"] = str(config.home)
        with Client(timeout=300) as client:
            yield client
        done = True
    finally:
        if not running and not (stay and done):
            stop_server(config)

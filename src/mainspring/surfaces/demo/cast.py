"""Who takes part: the owner, a reviewer with a key of their own, and a receiver of alerts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from mainspring.kernel.errors import Conflict
from mainspring.kernel.runs import Run
from mainspring.surfaces.client import Client
from mainspring.surfaces.demo.plan import Plan
from mainspring.surfaces.demo.report import Report, people

REVIEWER = "reviewer"


@dataclass
class Stage:
    """What every stage is given, and what the earlier ones left for it."""

    client: Client
    reviewer: Client
    plan: Plan
    report: Report
    inbox: Inbox
    made: dict[str, Any] = field(default_factory=dict)

    def wait(self, run: Run, title: str) -> Run:
        """Follow a run with a progress bar and return it finished. Raises its error."""
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=people, transient=True, disable=not people.is_terminal) as bar:
            task = bar.add_task(title, total=None)

            def update(current: Run) -> None:
                state = current.progress
                words = "  ".join(f"{name} {value:.4g}" for name, value in list(state.metrics.items())[:3])
                bar.update(task, description=f"{title}  {words}", completed=state.done, total=state.total or None)

            return self.client.wait(run, update)


def invite(client: Client) -> Client:
    """Make the second member, once, and return a client with a key of theirs."""
    try:
        client.member.add(REVIEWER, "operator")
    except Conflict:
        people.print(f"[dim]{REVIEWER} is a member already[/dim]")
    key = client.key.create(REVIEWER, expires_hours=2, note="demonstration")
    return Client(client.url, key.secret, client.project_name)


class Inbox:
    """A receiver of webhooks on loopback, as a team's own chat or pager would be."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(204)
                self.end_headers()
                with inbox._arrived:
                    inbox.received.append(json.loads(body))
                    inbox._arrived.notify_all()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 30.0) -> dict[str, Any] | None:
        """Return the first message that fits, once it is there; None where none comes in time."""
        with self._arrived:
            self._arrived.wait_for(lambda: any(map(wanted, self.received)), timeout=seconds)
            return next(filter(wanted, self.received), None)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

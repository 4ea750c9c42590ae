"""The program of the supervisor: `python -m mainspring.surfaces.processes.alone JSON`.

`mainspring up` becomes this: a server that stays up for months has no use for the libraries of the command line, which
would take half of the supervisor's memory.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mainspring.kernel import settings
from mainspring.kernel.errors import MainspringError
from mainspring.surfaces.processes.births import Begun, begin, can_fork
from mainspring.surfaces.processes.home import ServerState

PROGRAM = "mainspring.surfaces.processes.alone"


_begun: list[Begun] = []


def foresee() -> None:
    """Let a nursery begin to import while the command line reads what is asked for; it ends if nothing comes of it."""
    if can_fork():
        _begun.append(begin())


def become(flags: Mapping[str, Any], *, allow_remote: bool, as_json: bool) -> None:
    """Replace this process by a supervisor with these settings."""
    sys.stdout.flush()
    sys.stderr.flush()
    given: dict[str, Any] = {"flags": dict(flags), "allow_remote": allow_remote, "as_json": as_json}
    if (begun := _begun.pop() if _begun else None) is not None:
        for fd in (begun.channel, begun.output):
            os.set_inheritable(fd, True)
        given["begun"] = asdict(begun)
    os.execv(sys.executable, [sys.executable, "-P", "-m", PROGRAM, json.dumps(given)])  # noqa: S606


def announce(state: ServerState, owner_key: str, home: Path, *, as_json: bool, detached: bool = False) -> None:
    """Say that the server answers: to a program on stdout, to people on stderr."""
    if as_json:
        shown = asdict(state) | {"home": str(home)} | ({"owner_key": owner_key} if owner_key else {})
        print(json.dumps(shown), flush=True)  # noqa: T201 - the answer of the command
        return
    lines = [f"Mainspring {state.version} is up at {state.url}"]
    if owner_key:
        lines += ["", "  Sign in there with the owner's key, shown this once:", f"  {owner_key}", ""]
        lines += [f"  It also stands in {home / 'credentials.json'} (mode 0600)."]
    stop = "`mainspring down` stops it." if detached else "Ctrl-C or `mainspring down` stops it."
    lines += [f"Models answer at {state.url}/v1. {stop}", ""]
    sys.stderr.write("\n".join(lines))
    sys.stderr.flush()


def main() -> int:
    """Supervise until stopped; return the exit code."""
    from mainspring.surfaces.processes.supervisor import Supervisor

    given: dict[str, Any] = json.loads(sys.argv[1])
    flags = given["flags"]
    begun = Begun(**given["begun"]) if "begun" in given else None
    if begun is not None:
        for fd in (begun.channel, begun.output):
            os.set_inheritable(fd, False)
    try:
        config = settings.load(flags)

        def ready(state: ServerState, owner_key: str) -> None:
            announce(state, owner_key, config.home, as_json=given["as_json"])

        Supervisor(config, flags, allow_remote=given["allow_remote"], on_ready=ready, begun=begun).run()
    except MainspringError as error:
        sys.stderr.write(f"Error: {error.message}\n" + (f"Hint: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

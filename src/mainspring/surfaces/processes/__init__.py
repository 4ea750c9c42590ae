"""The processes of a server: a light supervisor, and the children that it starts, watches and restarts.

`mainspring up`, `down`, `status` and `doctor` stand on it. No server, database or model library is imported here.
"""

from mainspring.surfaces.processes.home import HomeLock, ServerState
from mainspring.surfaces.processes.supervisor import Supervisor

__all__ = ["HomeLock", "ServerState", "Supervisor"]

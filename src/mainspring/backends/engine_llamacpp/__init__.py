"""Local models served by llama.cpp: one supervised child process for each base and adapter.

`EnginePool` owns the children, `EngineSupervisor` offers a pool on a unix socket, `EngineClient` asks it from another
process.
"""

from mainspring.backends.engine_llamacpp.control import EngineClient, EngineSupervisor, open_engine
from mainspring.backends.engine_llamacpp.limits import EngineLimits
from mainspring.backends.engine_llamacpp.pool import EnginePool

__all__ = ["EngineClient", "EngineLimits", "EnginePool", "EngineSupervisor", "open_engine"]

"""numpy and scipy, imported when they are first used: a server that computes nothing does not hold them in memory."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import scipy

__all__ = ["np", "npt", "scipy"]


class Late(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self.__name__), name)
        setattr(self, name, found)
        return found


if not TYPE_CHECKING:
    np, npt, scipy = Late("numpy"), Late("numpy.typing"), Late("scipy")

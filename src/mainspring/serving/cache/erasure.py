"""Erasure: the answers that a user's calls made, or those of chosen traces, leave the cache."""

from __future__ import annotations

from mainspring.kernel import hooks
from mainspring.kernel.hooks import ErasureRequest
from mainspring.kernel.platform import Platform
from mainspring.serving.cache import entries
from mainspring.serving.cache.cache import running


def erase(platform: Platform, request: ErasureRequest, really: bool) -> int:
    """Erase what a request names, or count it; the hook of this room."""
    for cache in running(platform):
        cache.flush()  # what waits to be written would come back
    return entries.erase(platform, request, really)


hooks.erasable("serving.cache", erase)

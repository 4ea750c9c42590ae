"""Rules: the policies of an environment, as calls look them up."""

from __future__ import annotations

from mainspring.serving.cache.models import CachePolicy
from mainspring.serving.cache.tables import cache_moves
from mainspring.serving.moves import Moves

caches: Moves[CachePolicy] = Moves(cache_moves, CachePolicy, "cache")

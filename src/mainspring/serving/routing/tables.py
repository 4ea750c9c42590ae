"""Tables of routing."""

from __future__ import annotations

from mainspring.serving.moves import table_of

route_moves = table_of("route_moves")
"""Append-only: a route as it is now is its latest move."""

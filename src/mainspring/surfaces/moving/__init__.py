"""Moving in: exports of other products, read here and sent through the client, so that a second time adds nothing."""

from mainspring.surfaces.moving.sending import Report, move

__all__ = ["Report", "move"]

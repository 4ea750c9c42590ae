"""Boards: figures of the model calls over time, beside the time before, as panels that a project shares.

Every figure is asked of the span store's own sums, so that a board costs no more where there are more calls.
"""

from mainspring.monitoring.boards.models import Board, Panel
from mainspring.monitoring.boards.service import Boards

__all__ = ["Board", "Boards", "Panel"]

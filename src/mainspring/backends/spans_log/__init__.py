"""What every span store shares: the write-ahead file, the thread that empties it, and how a span becomes bytes."""

from mainspring.backends.spans_log.intake import Intake

__all__ = ["Intake"]

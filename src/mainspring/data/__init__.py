"""Data: stage 1 (profiles) and stage 2 (recipes, deduplication, splits), datasets and their versions.

Every row of a prepared version leads back to the rows that it came from.
"""

from mainspring.data.leakage import Leak, Leakage, leakage
from mainspring.data.models import DatasetVersion, Message, Row
from mainspring.data.store import load, read_rows

__all__ = [
    "DatasetVersion",
    "Leak",
    "Leakage",
    "Message",
    "Row",
    "leakage",
    "load",
    "read_rows",
]

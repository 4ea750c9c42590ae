"""Erasing: all that is kept of an end user leaves the project, and is not taken again.

What will go and what stays is said before; the rest is a durable run, and a row of the audit log that names nobody.
"""

from mainspring.governance.erasing.models import Erasure, ErasurePlan, Kept
from mainspring.governance.erasing.service import Erasures

__all__ = ["Erasure", "ErasurePlan", "Erasures", "Kept"]

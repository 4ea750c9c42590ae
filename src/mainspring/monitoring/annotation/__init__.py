"""Annotation: queues of traces that people judge by a rubric, how they agree, and what follows from it.

What reviewers settle becomes scores of the traces, and so rows of datasets and the measure of judges.
"""

from mainspring.monitoring.annotation.models import Answer, Question, Queue, Work
from mainspring.monitoring.annotation.service import Queues
from mainspring.monitoring.annotation.sharing import guest_of

__all__ = ["Answer", "Question", "Queue", "Queues", "Work", "guest_of"]

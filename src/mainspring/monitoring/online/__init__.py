"""Online evaluation: scorers over a sample of live calls, as they come or over those of the past.

What they give are scores of the calls' traces, which canaries, monitors and datasets read.
"""

from mainspring.monitoring.online.models import Evaluator
from mainspring.monitoring.online.scoring import work_due
from mainspring.monitoring.online.service import Evaluators

__all__ = ["Evaluator", "Evaluators", "work_due"]

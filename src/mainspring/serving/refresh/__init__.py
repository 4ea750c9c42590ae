"""Model refresh: when a deployment's model is due to be tuned anew, and how whoever does it reports back.

The policy fires an event with its evidence; a pipeline, or a person, does the work: tune, evaluate, gate, canary.
"""

from mainspring.serving.refresh.models import Refresh, RefreshCheck, RefreshPolicy
from mainspring.serving.refresh.policies import REFRESH_DUE, REFRESH_ENDED, refresh_due
from mainspring.serving.refresh.requests import Answer, answer, require_policy
from mainspring.serving.refresh.service import Refreshes

__all__ = [
    "REFRESH_DUE",
    "REFRESH_ENDED",
    "Answer",
    "Refresh",
    "RefreshCheck",
    "RefreshPolicy",
    "Refreshes",
    "answer",
    "refresh_due",
    "require_policy",
]

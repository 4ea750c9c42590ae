"""Safety: detectors of PII, secrets, prompt injection and toxicity, and the guard policies made of them.

Used by data preparation, serving and monitoring alike.
"""

from mainspring.safety.guards import apply
from mainspring.safety.models import GuardOutcome, Hit, Policy, Rule
from mainspring.safety.stream import StreamGuard

__all__ = ["GuardOutcome", "Hit", "Policy", "Rule", "StreamGuard", "apply"]

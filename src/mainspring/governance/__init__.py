"""Governance: gates, approvals, lineage queries and audit verification (stage 5).

Only this room changes the state of a release.
"""

from mainspring.governance.gate import Gate, check
from mainspring.governance.models import AuditRow, CheckResult, Document, GatePolicy, GateReport, Lineage
from mainspring.governance.service import Audits, Lineages, Releases

__all__ = [
    "AuditRow",
    "Audits",
    "CheckResult",
    "Document",
    "Gate",
    "GatePolicy",
    "GateReport",
    "Lineage",
    "Lineages",
    "Releases",
    "check",
]

"""Monitoring: monitors, drift, alerts and the channels they go to.

The seventh stage: what is live is looked at again and again, and somebody is told.
"""

from mainspring.monitoring.annotation import Queues
from mainspring.monitoring.areas import Issues
from mainspring.monitoring.attacks import Attacks
from mainspring.monitoring.boards import Boards
from mainspring.monitoring.checks import check
from mainspring.monitoring.models import Alert, Channel, DriftCheck, Finding, Monitor, MonitorResult
from mainspring.monitoring.online import Evaluators
from mainspring.monitoring.rules import MetricOptions
from mainspring.monitoring.service import Alerts, Channels, Drifts, Monitors, Silences
from mainspring.monitoring.watch import run_due

__all__ = [
    "Alert",
    "Alerts",
    "Attacks",
    "Boards",
    "Channel",
    "Channels",
    "DriftCheck",
    "Drifts",
    "Evaluators",
    "Finding",
    "Issues",
    "MetricOptions",
    "Monitor",
    "MonitorResult",
    "Monitors",
    "Queues",
    "Silences",
    "check",
    "run_due",
]

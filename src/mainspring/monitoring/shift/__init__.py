"""Shift: everything that can be measured of calls, against what a release was made with or an earlier time.

Each feature has the test that suits it, all of them together one rate of false alarms, and each a size beside its p.
"""

from mainspring.monitoring.shift.models import DriftReport, FeatureShift, TopicShift
from mainspring.monitoring.shift.report import ShiftSettings, compare, report

__all__ = ["DriftReport", "FeatureShift", "ShiftSettings", "TopicShift", "compare", "report"]

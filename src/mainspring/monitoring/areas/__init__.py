"""Improvement areas: traces that went wrong in much the same way, tracked as issues from found to fixed."""

from mainspring.monitoring.areas.models import FindSettings, Issue
from mainspring.monitoring.areas.service import Issues

__all__ = ["FindSettings", "Issue", "Issues"]

"""Evaluation: scorers, suites, experiments and their comparison under one statistical rule.

Used by stages 4 to 7.
"""

from mainspring.evals.models import Comparison, Experiment, ExperimentRow, Figure, GivenRow, MetricComparison, Suite
from mainspring.evals.service import Experiments, Scorers, Suites

__all__ = [
    "Comparison",
    "Experiment",
    "ExperimentRow",
    "Experiments",
    "Figure",
    "GivenRow",
    "MetricComparison",
    "Scorers",
    "Suite",
    "Suites",
]

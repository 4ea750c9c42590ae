"""Evaluation: scorers, suites, experiments and their comparison under one statistical rule.

Used by stages 4 to 7.
"""

from mainspring.evals.models import Comparison, Experiment, ExperimentRow, Figure, GivenRow, MetricComparison, Suite
from mainspring.evals.scorer_service import Scorers
from mainspring.evals.service import Experiments, Suites

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

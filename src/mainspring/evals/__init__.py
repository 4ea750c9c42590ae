"""Evaluation: scorers, experiments and their comparison under one statistical rule.

Used by stages 4 to 7.
"""

from mainspring.evals.models import Comparison, Experiment, ExperimentRow, Figure, MetricComparison
from mainspring.evals.service import Experiments, Scorers

__all__ = ["Comparison", "Experiment", "ExperimentRow", "Experiments", "Figure", "MetricComparison", "Scorers"]

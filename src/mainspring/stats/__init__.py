"""Statistics: intervals, paired and sequential tests, drift tests.

Pure functions over arrays; no I/O, no clock, randomness only through a seed that is passed in.
"""

from mainspring.stats import drift
from mainspring.stats.bootstrap import bca_interval, bootstrap_mean, studentised_interval
from mainspring.stats.drift import DriftResult
from mainspring.stats.intervals import Interval, TooFewRows, clustered_interval, t_interval, wilson
from mainspring.stats.judges import Agreement, agreement, prediction_powered, rogan_gladen
from mainspring.stats.means import mean_interval
from mainspring.stats.multiple import benjamini_hochberg, holm
from mainspring.stats.paired import mcnemar, paired_proportions, permutation, wilcoxon
from mainspring.stats.power import detectable_difference, not_worse, rows_needed, rows_needed_for_proportions
from mainspring.stats.proportions import agresti_coull, exact_proportion, proportion
from mainspring.stats.quantiles import quantile_interval, quantile_ratio
from mainspring.stats.raters import Reliability, fleiss_kappa, krippendorff_alpha
from mainspring.stats.sequential import bounded_sequence, difference_sequence, proportion_sequence
from mainspring.stats.verdict import PairedDifference, compare_paired, in_words, judge, settle
from mainspring.stats.watch import Arm, Watch

__all__ = [
    "Agreement",
    "Arm",
    "DriftResult",
    "Interval",
    "PairedDifference",
    "Reliability",
    "TooFewRows",
    "Watch",
    "agreement",
    "agresti_coull",
    "bca_interval",
    "benjamini_hochberg",
    "bootstrap_mean",
    "bounded_sequence",
    "clustered_interval",
    "compare_paired",
    "detectable_difference",
    "difference_sequence",
    "drift",
    "exact_proportion",
    "fleiss_kappa",
    "holm",
    "in_words",
    "judge",
    "krippendorff_alpha",
    "mcnemar",
    "mean_interval",
    "not_worse",
    "paired_proportions",
    "permutation",
    "prediction_powered",
    "proportion",
    "proportion_sequence",
    "quantile_interval",
    "quantile_ratio",
    "rogan_gladen",
    "rows_needed",
    "rows_needed_for_proportions",
    "settle",
    "studentised_interval",
    "t_interval",
    "wilcoxon",
    "wilson",
]

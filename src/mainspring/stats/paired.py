"""Two systems on the same rows: the interval of the difference and the tests of no difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mainspring.stats.arrays import np, scipy
from mainspring.stats.intervals import Floats, checked, normal_quantile

LEAST_PAIRS = 20
"""Rows under which the interval of a difference of two shares is not offered."""


def mcnemar(gained: int, lost: int) -> float:
    """Return the exact two-sided p-value of McNemar's test from the two discordant counts (Fagerland et al. 2013)."""
    total, least = gained + lost, min(gained, lost)
    if total == 0:
        return 1.0
    return min(1.0, 2 * float(scipy.special.bdtr(least, total, 0.5)))


def paired_proportions(gained: float, lost: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Interval for the difference of two proportions on the same n rows (Bonett and Price 2012, eq. 3).

    Wald's interval after one row is added to each discordant count and two to n; n need not be whole, so that grouped
    rows can be given at their effective number. From 20 rows on it covers 93 % at least, and 98 % at most wherever 6
    rows or more are to be expected to differ; where hardly any differ it covers nearly always.
    """
    z = normal_quantile(0.5 + level / 2)
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return max(-1.0, up - down - half), min(1.0, up - down + half)


def permutation(differences: Sequence[float] | Floats, *, seed: int = 0, permutations: int = 10_000) -> float:
    """Return the two-sided p-value of the sign-flip test that the mean difference is zero.

    Exact over all 2^n flips up to 12 rows, drawn beyond that with the add-one rule (Phipson and Smyth 2010). Assumes
    differences symmetric about their mean under the hypothesis (Ernst 2004, section 3).
    """
    array = checked(differences)
    seen = abs(float(array.sum())) * (1 - 1e-12)
    if seen == 0:
        return 1.0
    if len(array) <= 12:
        codes = np.arange(1 << len(array))[:, None] >> np.arange(len(array)) & 1
        return float(np.mean(np.abs((1 - 2 * codes) @ array) >= seen))
    rng = np.random.default_rng(seed)
    hits, block = 0, max(1, (1 << 20) // len(array))
    for start in range(0, permutations, block):
        signs = rng.integers(0, 2, size=(min(block, permutations - start), len(array)), dtype=np.int8)
        hits += int(np.sum(np.abs((1.0 - 2.0 * signs) @ array) >= seen))
    return (hits + 1) / (permutations + 1)


def wilcoxon(differences: Sequence[float] | Floats) -> float:
    """Return the two-sided p-value of the signed-rank test, zeros ranked and split (Wilcoxon 1945; Pratt 1959)."""
    from scipy import stats

    array = checked(differences)
    if not array.any():
        return 1.0
    return float(stats.wilcoxon(array, zero_method="pratt").pvalue)

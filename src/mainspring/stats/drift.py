"""Has the data changed: two samples compared, numbers, categories or embeddings."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from mainspring.stats.arrays import np, npt
from mainspring.stats.intervals import Floats, checked

_FLOOR = 1e-4
"""Share given to an empty bin, so that a logarithm exists."""
_SUBSAMPLE = 500
"""Rows from which the kernel's width is taken."""


@dataclass(frozen=True, slots=True)
class DriftResult:
    """What a two-sample test found."""

    statistic: float
    p_value: float
    """Chance of a statistic this large where nothing changed."""
    effect: float
    """Size of the change whatever the number of rows: 0 for none, towards 1 the less the samples share."""
    method: str
    n_reference: int
    n_current: int


def mmd(
    x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int = 0, permutations: int = 1000, features: int = 384
) -> DriftResult:
    """Compare two samples of vectors, shapes (n, d) and (m, d), by the maximum mean discrepancy.

    Statistic: squared distance of mean random Fourier features (Rahimi and Recht 2007) of a sum of Gaussian kernels
    whose widths are half, one and two times the median distance (Gretton et al. 2012, section 8). The p-value is by
    permutation, with the add-one rule (Phipson and Smyth 2010). Effect: √(MMD²/2) from the unbiased estimate (Gretton
    et al. 2012, eq. 3), 0 where that is negative. Rows are taken to be exchangeable.
    Raises ValueError for under 5 rows a side, unequal widths, or numbers that are not finite.
    """
    left, right = _matrix(x), _matrix(y)
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"vectors of {left.shape[1]} and of {right.shape[1]} numbers cannot be compared")
    rng = np.random.default_rng(seed)
    n, m = len(left), len(right)
    pooled = np.concatenate([left, right])
    mapped = _features(pooled, _median_distance(pooled, rng), features, rng)
    weight = np.concatenate([np.full(n, 1 / n), np.full(m, -1 / m)]).astype(np.float32)
    statistic = float(((weight @ mapped) ** 2).sum())
    hits, block = 0, max(1, (1 << 22) // (n + m))
    for start in range(0, permutations, block):
        count = min(block, permutations - start)
        orders = rng.random((count, n + m), dtype=np.float32).argsort(axis=1)
        found = ((weight[orders] @ mapped) ** 2).sum(axis=1)
        hits += int(np.sum(found >= statistic * (1 - 1e-6) - 1e-9))
    norms = (mapped**2).sum(axis=1)
    within = [_within(mapped[:n], norms[:n]), _within(mapped[n:], norms[n:])]
    between = float(mapped[:n].mean(axis=0) @ mapped[n:].mean(axis=0))
    unbiased = sum(within) - 2 * between
    effect = math.sqrt(min(max(unbiased, 0.0) / 2, 1.0))
    p_value = (hits + 1) / (permutations + 1)
    return DriftResult(statistic, p_value, effect, "MMD, random Fourier features, permutation", n, m)


def ks(x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> DriftResult:
    """Compare two samples of numbers by the Kolmogorov-Smirnov test; statistic and effect are the largest gap."""
    from scipy import stats

    left, right = checked(x), checked(y)
    found = stats.ks_2samp(left, right)
    gap = float(found.statistic)
    return DriftResult(gap, float(found.pvalue), gap, "Kolmogorov-Smirnov", len(left), len(right))


def shares(x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> DriftResult:
    """Compare the shares of ones in two samples of zeros and ones by Fisher's exact test (Fisher 1935).

    Statistic and effect are the absolute difference of the shares. The test is conservative: it says that something
    changed more rarely than its level allows.
    """
    from scipy import stats

    left, right = checked(x), checked(y)
    table = np.array([[int(side.sum()), len(side) - int(side.sum())] for side in (left, right)])
    gap = abs(float(left.mean()) - float(right.mean()))
    p_value = float(stats.fisher_exact(table).pvalue)
    return DriftResult(gap, min(1.0, p_value), gap, "Fisher's exact test", len(left), len(right))


def psi(x: Sequence[float] | Floats, y: Sequence[float] | Floats, *, bins: int = 10) -> float:
    """Return the population stability index over the reference's quantile bins (Siddiqi 2006, chapter 9).

    Σ (q − p) · ln(q / p); customary readings: under 0.1 stable, over 0.25 changed. It has no p-value.
    """
    left, right = checked(x), checked(y)
    edges = np.unique(np.quantile(left, np.linspace(0, 1, bins + 1)[1:-1]))
    p = _shares(np.bincount(np.searchsorted(edges, left, side="right"), minlength=len(edges) + 1))
    q = _shares(np.bincount(np.searchsorted(edges, right, side="right"), minlength=len(edges) + 1))
    return float(((q - p) * np.log(q / p)).sum())


def chi_square(x: Sequence[Hashable], y: Sequence[Hashable]) -> DriftResult:
    """Compare two samples of categories by Pearson's test of homogeneity; the effect is Cramér's V (Cramér 1946)."""
    from scipy import stats

    table = _table(x, y)
    if table.shape[1] < 2:
        return DriftResult(0.0, 1.0, 0.0, "chi-square", len(x), len(y))
    found = stats.chi2_contingency(table, correction=False)
    value = float(found.statistic)
    return DriftResult(value, float(found.pvalue), math.sqrt(value / table.sum()), "chi-square", len(x), len(y))


def jensen_shannon(x: Sequence[Hashable], y: Sequence[Hashable]) -> float:
    """Return the Jensen-Shannon distance of two samples of categories, 0 to 1 (Endres and Schindelin 2003, base 2)."""
    table = _table(x, y)
    p, q = table[0] / table[0].sum(), table[1] / table[1].sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(side > 0, side * np.log2(side / middle), 0.0).sum() for side in (p, q)]
    return math.sqrt(max(0.0, float(sum(parts)) / 2))


def _matrix(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return vectors as float32, one a row."""
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2 or len(array) < 5:
        raise ValueError(f"at least 5 vectors a side are needed, one a row; the shape is {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("every number of a vector must be finite")
    return array


def _median_distance(pooled: npt.NDArray[np.float32], rng: np.random.Generator) -> float:
    """Return the median distance between rows, from a subsample."""
    rows = pooled[rng.permutation(len(pooled))[:_SUBSAMPLE]].astype(np.float64)
    squares = (rows**2).sum(axis=1)
    gaps = squares[:, None] + squares[None, :] - 2 * rows @ rows.T
    upper = gaps[np.triu_indices(len(rows), 1)]
    median = math.sqrt(max(float(np.median(upper)), 0.0))
    return median if median > 1e-9 else math.sqrt(max(float(upper.mean()), 0.0)) or 1.0


def _features(
    pooled: npt.NDArray[np.float32], width: float, count: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Map rows to `count` cosine and sine features whose products estimate the kernel."""
    half = max(3, count // 2)
    scales = np.resize([0.5, 1.0, 2.0], half) * width
    directions = (rng.standard_normal((pooled.shape[1], half)) / scales).astype(np.float32)
    angles = pooled @ directions
    mapped = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    return (mapped / np.float32(math.sqrt(half))).astype(np.float32)


def _within(mapped: npt.NDArray[np.float32], norms: npt.NDArray[np.float32]) -> float:
    """Return the mean kernel value over pairs of different rows."""
    n = len(mapped)
    total = mapped.sum(axis=0, dtype=np.float64)
    return float((total @ total - norms.sum(dtype=np.float64)) / (n * (n - 1)))


def _shares(counts: npt.NDArray[np.int64]) -> Floats:
    """Return shares, none of them zero."""
    share = np.maximum(counts / counts.sum(), _FLOOR)
    result: Floats = share / share.sum()
    return result


def _table(x: Sequence[Hashable], y: Sequence[Hashable]) -> Floats:
    """Count categories of both samples: shape (2, categories)."""
    if not len(x) or not len(y):
        raise ValueError("both samples need rows")
    names: dict[Hashable, int] = {}
    table = np.zeros((2, len(set(x) | set(y))))
    for side, sample in enumerate((x, y)):
        for item in sample:
            table[side, names.setdefault(item, len(names))] += 1
    return table

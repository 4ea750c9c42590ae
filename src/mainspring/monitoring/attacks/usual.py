"""Usual: how likely what a key does now is, if it goes on as before. Pure functions that give chances (p-values).

A key is held against its own active windows: one that runs once in ten days is not unusual for running.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

LEAST_ACTIVE = 5
"""Earlier windows with calls under which nothing is foretold."""
LEAST_BLOCKS = 5
"""Earlier blocks of calls under which nothing is said of a share."""
_LEAST_BEFORE, _LEAST_BLOCK, _MORE = 35, 5, 1.5
_BURSTS = 0.05
"""Correlation of failures of one window that is reckoned with where none was seen yet."""


def share(hits: int, calls: int, blocks: Sequence[tuple[int, int]]) -> float:
    """Return the chance of so large a share of hits, or a larger one, after earlier blocks of hits and calls.

    The largest of three, since failures come in bursts: Fisher's exact test; the likelihood ratio by Student's t over
    the dispersion that so many calls together have, 1 + (n - 1) r, with r from the blocks by moments (McCullagh and
    Nelder 1989, sections 4.5 and 9.2); and the beta-binomial with twice that r, and a least one, as r is known
    poorly and bursts are skewed. 1 for a share that a block before nearly had, and for fewer than five blocks.
    """
    from scipy import stats

    known, n = sum(k for k, _ in blocks), sum(m for _, m in blocks)
    if len(blocks) < LEAST_BLOCKS or n < _LEAST_BEFORE or not calls:
        return 1.0
    most = max((k / m for k, m in blocks if m >= _LEAST_BLOCK), default=0.0)
    if hits / calls <= max(known / n, _MORE * most):
        return 1.0
    # The chance of so many hits among the calls of now, of all hits and calls: Fisher's exact test, one-sided.
    exact = float(stats.hypergeom.sf(hits - 1, calls + n, hits + known, calls))
    p, within = known / n, 0.0
    if 0 < p < 1:
        spread = sum((k - m * p) ** 2 / (m * p * (1 - p)) for k, m in blocks) / (len(blocks) - 1)
        within = min(1.0, max(0.0, (spread - 1) / max(1e-9, n / len(blocks) - 1)))
    apart = _likely(hits, calls) + _likely(known, n) - _likely(hits + known, calls + n)
    root = math.sqrt(max(0.0, 2 * apart) / (1 + (calls - 1) * within))
    r, p = min(0.9, max(2 * within, _BURSTS)), (known + 0.5) / (n + 1)
    burst = float(stats.betabinom.sf(hits - 1, calls, p * (1 - r) / r, (1 - p) * (1 - r) / r))
    return max(exact, burst, float(stats.t.sf(root, len(blocks) - 1)))


def fresh(now: int, before: int, windows: float) -> float:
    """Return the chance of `now` first appearances or more in a window, after `before` of them in so many windows.

    They are taken to come by themselves, at a rate of which nothing else is known: the chance is that of the negative
    binomial that Jeffreys' prior for a Poisson rate foretells (Gelman et al. 2013, section 2.6). 1 for none.
    """
    from scipy import special

    if now < 1 or windows <= 0:
        return 1.0
    return float(special.betainc(now, before + 0.5, 1 / (1 + windows)))


def together(one: float, other: float) -> float:
    """Return the chance of two independent signs (Fisher 1932)."""
    both = one * other
    return both * (1 - math.log(both)) if both > 0 else 0.0


def mean(values: Iterable[float]) -> float:
    """Return the mean of some values."""
    held = list(values)
    return sum(held) / len(held)


def _likely(k: int, n: int) -> float:
    """Return the largest log-likelihood of a share."""
    return sum(part * math.log(part / n) for part in (k, n - k) if part)

"""Suites: which rows are asked, how, and how answers are scored, in versions that never change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.evals import scorers
from mainspring.evals.models import SplitName, Suite, SuiteSettings
from mainspring.evals.scoring import pinned
from mainspring.kernel import versions
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version

KIND = "suite"


def commit(
    tx: Tx, name: str, dataset: str, split: SplitName, names: Sequence[str], settings: SuiteSettings, note: str
) -> Suite:
    """Store a version over an exact dataset. Raises Invalid for a scorer that is not there, NotFound."""
    content = {
        "dataset": versions.resolve(tx, dataset, "dataset").ref,
        "split": split,
        "scorers": [scorers.metric(text).name for text in dict.fromkeys(pinned(tx, names))],
        "settings": settings.model_dump(),
    }
    return shown(versions.commit(tx, KIND, name, content, note=note))


def load(tx: Tx, ref: str) -> Suite:
    """Return the suite that a reference names. Raises Invalid, NotFound."""
    return shown(versions.resolve(tx, ref, KIND))


def shown(version: Version) -> Suite:
    """Make the record of a version."""
    content: dict[str, Any] = version.content
    return Suite(
        ref=version.ref,
        name=version.name,
        number=version.number,
        sha256=version.sha256,
        dataset=content["dataset"],
        split=content["split"],
        scorers=content["scorers"],
        settings=SuiteSettings(**content["settings"]),
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
        existed=version.existed,
    )

"""Dataset versions: storing them, finding them, and reading their rows. Other rooms read datasets through this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, func, select

from mainspring.data import rows as files
from mainspring.data.models import DatasetVersion, Row
from mainspring.kernel import lineage, tables, versions
from mainspring.kernel.errors import NotFound
from mainspring.kernel.lineage import SourceKind
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version

if TYPE_CHECKING:
    from mainspring.kernel.platform import Platform

KIND = "dataset"
Source = tuple[str, SourceKind, str]
"""Row id, source kind, source id."""


def commit(
    tx: Tx,
    name: str,
    content: dict[str, Any],
    source: str,
    sources: Iterable[Source],
    *,
    note: str = "",
    run_id: str = "",
) -> DatasetVersion:
    """Store a version made of `content` (from `rows.store`), with where each of its rows came from.

    With `run_id`, lineage says that the run wrote it.
    """
    version = versions.commit(tx, KIND, name, {**content, "source": source}, note=note)
    if not version.existed:
        lineage.link_rows(tx, version.ref, sources)
    if run_id:
        lineage.link(tx, run_id, outputs=[version.ref])
    return shown(version)


def load(tx: Tx, ref: str) -> DatasetVersion:
    """Return the dataset version that a reference such as `dataset/faq@3` names. Raises Invalid, NotFound."""
    return shown(versions.resolve(tx, ref, KIND))


def latest(tx: Tx, name: str) -> Version | None:
    """Return the latest version of a dataset as it is stored; None where there is none."""
    try:
        return versions.resolve(tx, f"dataset/{name}", KIND)
    except NotFound:
        return None


def read_rows(platform: Platform, ref: str, *, split: str = "") -> Iterator[Row]:
    """Yield the rows of a dataset version, or of one split of it. Raises Invalid, NotFound."""
    with platform.read() as tx:
        content = versions.resolve(tx, ref, KIND).content
    for value in files.read_json(platform.files, content):
        if not split or value["split"] == split:
            yield Row.model_validate(value)


def uses(tx: Tx, file: str) -> int:
    """Return how many versions, of any project, keep their rows in a file."""
    table = tables.versions
    query = select(func.count()).where(table.c.kind == KIND, table.c.content.cast(Text).contains(file))
    return int(tx.execute(query).scalar_one())


def shown(version: Version) -> DatasetVersion:
    """Return a stored version as a record."""
    content = version.content
    return DatasetVersion(
        ref=version.ref,
        name=version.name,
        number=version.number,
        sha256=version.sha256,
        rows=content["rows"],
        labels=content["labels"],
        splits=content["splits"],
        licenses=content["licenses"],
        source=content["source"],
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
        existed=version.existed,
    )

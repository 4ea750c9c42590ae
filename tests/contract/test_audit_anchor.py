"""The audit log's anchor: what the database alone could hide shows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from mainspring.governance import Audits
from mainspring.kernel import anchor, audit
from mainspring.kernel.errors import Unavailable
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import audit_head, audit_rows


def write(platform: Platform, count: int = 1) -> None:
    for number in range(count):
        with platform.begin() as tx:
            audit.append(tx, "test.write", f"row {number}", "ok", {})


def head_of(platform: Platform) -> dict[str, Any]:
    with platform.read() as tx:
        return dict(tx.execute(audit_head.select()).mappings().one())


def test_the_anchor_follows_the_log(platform: Platform) -> None:
    assert Audits(platform).verify().anchor is None
    write(platform, 3)
    found = Audits(platform).verify()
    assert (found.verified, found.rows, found.anchor) == (True, 3, 3)
    assert (platform.home / anchor.NAME).stat().st_mode & 0o777 == 0o600


def test_a_transaction_that_fails_leaves_the_anchor_where_it_was(platform: Platform) -> None:
    write(platform)
    with pytest.raises(RuntimeError), platform.begin() as tx:
        audit.append(tx, "test.write", "never", "ok", {})
        raise RuntimeError
    found = Audits(platform).verify()
    assert (found.verified, found.anchor) == (True, 1)


@pytest.mark.parametrize("afterwards", [0, 1, 8])
@pytest.mark.parametrize("harm", ["emptied", "set back"])
def test_a_log_that_lost_rows_shows_however_much_is_written_later(
    platform: Platform, harm: str, afterwards: int
) -> None:
    write(platform, 2)
    old = head_of(platform)
    write(platform, 3)
    with platform.records.begin() as conn:
        if harm == "emptied":
            conn.execute(delete(audit_rows))
            conn.execute(delete(audit_head))
        else:
            conn.execute(delete(audit_rows).where(audit_rows.c.seq > 2))
            conn.execute(update(audit_head).values(seq=2, seal=old["seal"]))
    write(platform, afterwards)
    with platform.read() as tx:
        assert audit.verify(tx).verified, "the database by itself cannot know"
    found = Audits(platform).verify()
    assert (found.verified, found.anchor) == (False, 5)
    assert "anchor" in found.reason or "was set back" in found.reason


def test_a_log_without_its_head_goes_on_and_says_so(platform: Platform) -> None:
    write(platform, 2)
    with platform.records.begin() as conn:
        conn.execute(delete(audit_head))
    assert Audits(platform).verify().reason == "the head is missing: rows may be, too"
    write(platform, 2)
    found = Audits(platform).verify()
    assert (found.verified, found.first_bad) == (False, 3)
    assert found.reason == "the log was changed before row 3 was written"


def test_an_anchor_that_lags_or_is_not_there_catches_up(platform: Platform) -> None:
    write(platform, 2)
    behind = anchor.read(platform.home)
    write(platform, 2)
    anchor.set_back(platform.home, behind)
    assert Audits(platform).verify().verified
    write(platform)
    assert Audits(platform).verify().anchor == 5
    (platform.home / anchor.NAME).unlink()
    write(platform)
    assert (Audits(platform).verify().verified, Audits(platform).verify().anchor) == (True, 6)


def test_a_log_of_another_installation_is_not_taken_for_this_one(platform: Platform) -> None:
    write(platform, 3)
    with platform.records.begin() as conn:
        conn.execute(delete(audit_rows))
        conn.execute(delete(audit_head))
    write(platform, 3)
    found = Audits(platform).verify()
    assert (found.verified, found.first_bad) == (False, 3)
    assert found.reason == "row 3 is not the one that the anchor outside the database knows"


def test_what_brings_a_backup_back_says_so_in_the_log(platform: Platform, tmp_path: Path) -> None:
    write(platform, 2)
    platform.records.backup(tmp_path / "copy")
    write(platform, 3)
    platform.records.restore(tmp_path / "copy")
    assert not Audits(platform).verify().verified
    audit.restored(platform, datetime(2026, 1, 2, tzinfo=UTC))
    write(platform)
    found = Audits(platform).verify()
    assert (found.verified, found.rows, found.anchor) == (True, 4, 4)
    [said] = found.restores
    assert "the backup of 2026-01-02T00:00:00+00:00 was brought back; row 5 was the last one before" in said


def test_an_anchor_that_cannot_be_written_stops_no_work(platform: Platform) -> None:
    (platform.home / anchor.NAME).mkdir()
    write(platform, 2)
    with platform.read() as tx:
        assert audit.verify(tx).verified
    with pytest.raises(Unavailable, match="anchor"):
        Audits(platform).verify()


def test_a_forged_row_that_fits_no_key_shows(platform: Platform) -> None:
    write(platform)
    with platform.records.begin() as conn:
        row = dict(conn.execute(audit_rows.select()).mappings().one())
        conn.execute(insert(audit_rows).values(**{**row, "seq": 2}))
    found = Audits(platform).verify()
    assert (found.verified, found.first_bad) == (False, 2)

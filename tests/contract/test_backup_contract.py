"""Backup and restore, and transactions, on every database."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mainspring.kernel import access, versions
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.platform import Platform


def test_a_backup_brings_back_what_was_there(platform: Platform, tmp_path: Path) -> None:
    with platform.begin() as tx:
        versions.commit(tx, "prompt", "greet", {"v": 1})
    platform.records.backup(tmp_path / "copy")
    with platform.begin() as tx:
        versions.commit(tx, "prompt", "greet", {"v": 2})
    platform.records.restore(tmp_path / "copy")
    with platform.read() as tx:
        assert versions.resolve(tx, "prompt/greet").number == 1


def test_a_damaged_backup_is_refused_and_changes_nothing(platform: Platform, tmp_path: Path) -> None:
    with platform.begin() as tx:
        versions.commit(tx, "prompt", "greet", {"v": 1})
    (tmp_path / "copy").write_bytes(b"not a backup" * 1000)
    with pytest.raises(Invalid):
        platform.records.restore(tmp_path / "copy")
    with platform.read() as tx:
        assert versions.resolve(tx, "prompt/greet").number == 1


def test_a_failed_transaction_leaves_nothing(platform: Platform) -> None:
    with pytest.raises(RuntimeError), platform.begin() as tx:
        versions.commit(tx, "prompt", "greet", {"v": 1})
        raise RuntimeError
    with platform.read() as tx, pytest.raises(NotFound):
        versions.resolve(tx, "prompt/greet")


def test_a_read_sees_one_moment(platform: Platform) -> None:
    with platform.begin() as tx:
        versions.commit(tx, "prompt", "greet", {"v": 1})
    caller = access.current()

    def write() -> None:
        with access.acting_as(caller), platform.begin() as tx:
            versions.commit(tx, "prompt", "greet", {"v": 2})

    with platform.read() as tx:
        assert versions.resolve(tx, "prompt/greet").number == 1
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert versions.resolve(tx, "prompt/greet").number == 1
    with platform.read() as tx:
        assert versions.resolve(tx, "prompt/greet").number == 2


def test_writers_at_the_same_time_all_get_their_turn(platform: Platform) -> None:
    caller = access.current()
    problems: list[Exception] = []

    def write(number: int) -> None:
        try:
            with access.acting_as(caller), platform.begin() as tx:
                versions.commit(tx, "prompt", f"p{number}", {})
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with platform.read() as tx:
        assert len(versions.names(tx, "prompt")[0]) == 12

"""Fixtures that every room's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from mainspring.backends.files_object import open_files
from mainspring.backends.records_postgres import open_records as open_postgres
from mainspring.backends.records_sqlite import open_records as open_sqlite
from mainspring.backends.runner_inline import InlineRunner
from mainspring.kernel import access, schema, settings
from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.clock import uuid7
from mainspring.kernel.keyring import Keyring
from mainspring.kernel.platform import Platform
from mainspring.surfaces.nouns import JOB_MODULES, NOUNS

# A busy machine is slow at everything: speed says nothing about what a property test looks for.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("patient")

LONGEST = ("surfaces/test_snippets.py", "surfaces/test_demo.py", "browser/", "tuning/", "faults/", "serving/", "evals/")
"""What takes longest comes first, so that no worker is left alone with it at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files of tests, the same in every worker."""
    tests = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(tests).as_posix() if item.path.is_relative_to(tests) else ""
        return next((at for at, long in enumerate(LONGEST) if path.startswith(long)), len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one worker, and all that looks at the web UI, which is built and served once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/browser" if nodeid.startswith("tests/browser/") else nodeid.split("::", 1)[0]

    return ByFile(config, log)


Acting = Callable[..., AbstractContextManager[Caller]]


class TickingClock:
    """A clock that moves a millisecond at each look, and further when told."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


class CountingIds:
    """UUIDv7 in order, the same in every run."""

    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return uuid7(1_767_323_045_000 + self.count << 12, f"{self.count:016x}")


def make_caller(role: str = "admin", member: str = "ann", project: str = "default") -> Caller:
    return Caller(member, f"key-of-{member}", project, "production", role, ROLES[role])


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
def records_url() -> str:
    """Where records are kept: SQLite in the home folder, unless a suite asks for another database."""
    return ""


@pytest.fixture
def bare_platform(tmp_path: Path, clock: TickingClock, records_url: str) -> Iterator[Platform]:
    """A platform with every room's tables; nobody is signed in."""
    for module in dict.fromkeys([noun.module for noun in NOUNS] + list(JOB_MODULES)):
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("mainspring"):
                raise
    home = tmp_path / "home"
    home.mkdir()
    config = settings.load({"home": str(home), "records.url": records_url}, environ={}, folder=tmp_path)
    open_records = open_postgres if records_url else open_sqlite
    runner = InlineRunner()
    platform = Platform(
        home=home,
        settings=config,
        clock=clock,
        ids=CountingIds(),
        keyring=Keyring(b"k" * 32),
        records=open_records(records_url, home, config),
        files=open_files("", home, config),
        runner_port=runner,
    )
    runner.platform = platform
    try:
        spans = import_module("mainspring.backends.spans_sqlite")
    except ModuleNotFoundError:
        pass
    else:
        platform.spans_port = spans.open_spans("", home, config)
    schema.upgrade(platform.records, clock)
    yield platform
    getattr(platform.chat_port, "close", lambda: None)()
    if platform.spans_port is not None:
        platform.spans.close()
    platform.records.close()


@pytest.fixture
def platform(bare_platform: Platform) -> Iterator[Platform]:
    """The same, with ann, an admin, signed in to the project default."""
    with access.acting_as(make_caller()):
        yield bare_platform


@pytest.fixture
def acting() -> Acting:
    """Sign somebody else in for a block: `with acting(role="viewer", member="bob"): …`."""

    def act(role: str = "admin", member: str = "ann", project: str = "default") -> AbstractContextManager[Caller]:
        return access.acting_as(make_caller(role, member, project))

    return act

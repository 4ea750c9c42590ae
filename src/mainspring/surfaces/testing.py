"""The pytest plugin: scores of a test run recorded as an experiment, and held against a baseline.

pytest --mainspring-experiment my-app --mainspring-baseline last-release

A test asks for the fixture `mainspring_score` and calls it as often as it likes. The session fails where a metric is
shown to be worse than the baseline's, not where a mean is a little lower. Without `--mainspring-experiment` the scores
are taken and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mainspring.evals import Comparison, Experiment

ScoreFunction = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("mainspring", "scores recorded as an experiment")
    group.addoption("--mainspring-experiment", default="", help="Record the scores under this name.")
    group.addoption("--mainspring-baseline", default="", help="Fail where a metric got worse than this experiment's.")
    group.addoption("--mainspring-note", default="", help="Note of the experiment, such as a commit.")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the scores of the session, in the process that runs the tests or gathers their results."""
    config.pluginmanager.register(_Scores(config), "mainspring-scores")


@pytest.fixture
def mainspring_score(request: pytest.FixtureRequest) -> Iterator[ScoreFunction]:
    """Take scores of this test: `mainspring_score("helpful", 0.8)`, once for each metric.

    `question`, `answer` and `reference` are kept with the row; `row` names one of several rows of the test, `group`
    rows that belong together.
    """
    from mainspring.kernel.errors import Invalid

    held: list[dict[str, Any]] = []
    request.node.mainspring_scores = held

    def score(metric: str, value: float | bool, *, row: str = "", group: str = "", **said: Any) -> None:
        unknown = set(said) - {"question", "answer", "reference"}
        if unknown:
            raise Invalid(
                f"A score has no {sorted(unknown)[0]}.", hint="It has question, answer, reference, row, group."
            )
        held.append({"metric": metric, "value": float(value), "row": row, "group": group, **said})

    yield score
    for one in held:
        request.node.user_properties.append(("mainspring", one))


class _Scores:
    """Gathers scores from the tests' reports, so that tests may run in other processes."""

    def __init__(self, config: pytest.Config) -> None:
        self._name, self._baseline = config.getoption("mainspring_experiment"), config.getoption("mainspring_baseline")
        self._note = config.getoption("mainspring_note")
        self._worker = hasattr(config, "workerinput")
        self._rows: dict[str, dict[str, Any]] = {}
        self._said: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the scores of a test once it has come to its end."""
        if report.when != "teardown":
            return
        for name, one in report.user_properties:
            if name == "mainspring" and isinstance(one, dict):
                self._take(report.nodeid, one)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Record the experiment and compare it; a shown regression fails the session."""
        if self._worker or not self._name or not self._rows:
            return
        from mainspring.kernel.errors import MainspringError

        try:
            worse = self._record()
        except MainspringError as error:
            self._said.append(f"The scores were not recorded: {error.message} {error.hint}".rstrip())
            worse = True
        if worse and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was recorded, and what changed."""
        if self._said:
            terminalreporter.section("mainspring")
            for line in self._said:
                terminalreporter.line(line)

    def _take(self, node: str, one: dict[str, Any]) -> None:
        name = f"{node}::{one['row']}" if one["row"] else node
        row = self._rows.setdefault(name[-500:], {"row": name[-500:], "group": one["group"], "scores": {}})
        row["scores"][one["metric"]] = one["value"]
        row.update({key: one[key] for key in ("question", "answer", "reference") if key in one})

    def _record(self) -> bool:
        """Send the rows; tell whether anything got worse. Raises MainspringError."""
        from mainspring.evals.models import GivenRow
        from mainspring.evals.report import worse
        from mainspring.surfaces.client import Client

        with Client() as client:
            baseline: Experiment | None = client.experiment.get(self._baseline) if self._baseline else None
            rows = [GivenRow(**row) for row in self._rows.values()]
            made = client.experiment.record(self._name, rows, note=self._note)
            self._said.append(f"Recorded {made.rows} rows as experiment {made.name} ({made.id}).")
            if baseline is None:
                return False
            found: Comparison = client.experiment.compare(baseline.id, made.id)
            self._said += [f"{one.metric}: {one.sentence}" for one in found.metrics]
        bad = worse(found)
        if bad:
            self._said.append(f"Worse than {self._baseline}: {', '.join(one.metric for one in bad)}.")
        return bool(bad)

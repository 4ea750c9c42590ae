"""The nouns: every service, where it lives, and one line of help. Nothing is imported until it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mainspring.kernel.service import Service


class Noun(NamedTuple):
    """A command group, and the attribute of the client."""

    name: str
    module: str
    service: str
    help: str

    def load(self) -> type[Service]:
        """Import and return the service's class."""
        found: type[Service] = getattr(import_module(self.module), self.service)
        return found


NOUNS: tuple[Noun, ...] = (
    Noun("project", "mainspring.workspace.service", "Projects", "Projects: what is kept apart."),
    Noun("environment", "mainspring.workspace.service", "Environments", "Environments of a project."),
    Noun("member", "mainspring.workspace.service", "Members", "Members and their roles."),
    Noun("view", "mainspring.workspace.views", "Views", "Saved views of lists."),
    Noun("key", "mainspring.workspace.key_service", "Keys", "API keys."),
    Noun("dataset", "mainspring.data.service", "Datasets", "Datasets and their versions."),
    Noun("profile", "mainspring.data.service", "Profiles", "Profiles: what a dataset is like."),
    Noun("recipe", "mainspring.data.service", "Recipes", "Recipes: how a dataset is prepared."),
    Noun("prompt", "mainspring.evals.prompts", "Prompts", "Prompts and their versions."),
    Noun("scorer", "mainspring.evals.scorer_service", "Scorers", "Scorers: how an answer is judged."),
    Noun("suite", "mainspring.evals.service", "Suites", "Suites: what is asked, and how it is scored."),
    Noun("experiment", "mainspring.evals.service", "Experiments", "Experiments and their comparison."),
    Noun("redteam", "mainspring.evals.redteam", "RedTeams", "Red teaming: attacks on a target."),
    Noun("model", "mainspring.registry.service", "Models", "Models and their versions."),
    Noun("provider", "mainspring.registry.provider_service", "Providers", "Providers: models elsewhere."),
    Noun("tune", "mainspring.tuning.service", "Tunes", "Fine-tuning."),
    Noun("run", "mainspring.tuning.service", "Runs", "Runs: long work, its progress and log."),
    Noun("release", "mainspring.governance.service", "Releases", "Releases: gates and approvals."),
    Noun("lineage", "mainspring.governance.service", "Lineages", "Lineage: what led to what."),
    Noun("erasure", "mainspring.governance.erasing", "Erasures", "Erasures of end users."),
    Noun("audit", "mainspring.governance.service", "Audits", "The audit log."),
    Noun("deployment", "mainspring.serving.service", "Deployments", "Deployments: what is live, and how it rolls."),
    Noun("canary", "mainspring.serving.rollouts", "Canaries", "Canaries: releases that the traffic judges."),
    Noun("route", "mainspring.serving.routing.service", "Routes", "Routes: which of several may answer a call."),
    Noun("cache", "mainspring.serving.cache.service", "Caches", "Caches: answers that are given again."),
    Noun("refresh", "mainspring.serving.refresh.service", "Refreshes", "Model refresh: when a model is tuned anew."),
    Noun("loadtest", "mainspring.serving.loadtests", "LoadTests", "Load tests of deployments and servers."),
    Noun("engine", "mainspring.serving.engine_service", "Engines", "Local model engines."),
    Noun("limit", "mainspring.serving.metering.service", "Limits", "Limits of requests and tokens."),
    Noun("budget", "mainspring.serving.metering.service", "Budgets", "Budgets in money."),
    Noun("usage", "mainspring.serving.metering.service", "Usages", "What calls used, and what they cost."),
    Noun("guard", "mainspring.serving.guard_hits", "Guards", "Guard policies, and what they found."),
    Noun("trace", "mainspring.traces.service", "Traces", "Traces of production traffic."),
    Noun("session", "mainspring.traces.session_service", "Sessions", "Sessions: traces that belong together."),
    Noun("user", "mainspring.traces.session_service", "Users", "Users of applications: who traces were for."),
    Noun("comment", "mainspring.traces.comments", "Comments", "Comments on traces."),
    Noun("score", "mainspring.traces.service", "Scores", "Scores and feedback."),
    Noun("feedback", "mainspring.traces.feedback", "Feedback", "Feedback of end users, by tokens."),
    Noun("queue", "mainspring.monitoring.annotation", "Queues", "Queues of traces that people judge."),
    Noun("evaluator", "mainspring.monitoring.online", "Evaluators", "Evaluators: scorers over live calls."),
    Noun("price", "mainspring.traces.price_service", "Prices", "What calls cost."),
    Noun("capture", "mainspring.traces.capture_service", "Captures", "Which traces are kept, and what is masked."),
    Noun("retention", "mainspring.traces.capture_service", "Retentions", "How long traces are kept."),
    Noun("monitor", "mainspring.monitoring.service", "Monitors", "Monitors of live traffic."),
    Noun("alert", "mainspring.monitoring.service", "Alerts", "Alerts."),
    Noun("channel", "mainspring.monitoring.service", "Channels", "Channels that alerts go to."),
    Noun("silence", "mainspring.monitoring.service", "Silences", "Silences: times without messages."),
    Noun("attack", "mainspring.monitoring.attacks", "Attacks", "Attacks in live traffic, and who may be behind them."),
    Noun("issue", "mainspring.monitoring.areas", "Issues", "Improvement areas: what goes wrong in much the same way."),
    Noun("board", "mainspring.monitoring.boards", "Boards", "Boards: figures of the calls over time."),
    Noun("drift", "mainspring.monitoring.service", "Drifts", "Drift of traffic from what a release was made for."),
)
JOB_MODULES: tuple[str, ...] = (
    "mainspring.traces.logs",
    "mainspring.data.jobs",
    "mainspring.evals.jobs",
    "mainspring.evals.calibrating",
    "mainspring.evals.preference",
    "mainspring.evals.optimise",
    "mainspring.evals.redteam.jobs",
    "mainspring.tuning.jobs",
    "mainspring.governance.erasing.jobs",
    "mainspring.serving.jobs",
    "mainspring.serving.loadjob",
    "mainspring.monitoring.jobs",
    "mainspring.monitoring.online.jobs",
    "mainspring.monitoring.areas.jobs",
)
"""Modules that hold jobs and event handlers; every process that composes a platform imports them."""


def load_rooms() -> None:
    """Import every service and every job, so that tables, handlers and hooks are registered."""
    for noun in NOUNS:
        noun.load()
    for module in JOB_MODULES:
        import_module(module)

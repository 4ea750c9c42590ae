"""A caller without a single permission is refused by every operation, tool and route, and the refusal is audited."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest
from sqlalchemy import func, select

from mainspring.kernel import access, jobs
from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.errors import Denied
from mainspring.kernel.operation import Operation, operations
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import audit_rows
from mainspring.surfaces.nouns import JOB_MODULES, NOUNS
from mainspring.tuning.service import starting

OPERATIONS = [(noun, spec) for noun in NOUNS for spec in operations(noun.load())]
NOBODY = Caller("nobody", "key-of-nobody", "default", "production", "viewer", frozenset())


@pytest.mark.parametrize(
    ("noun", "spec"), OPERATIONS, ids=lambda item: getattr(item, "name", getattr(item, "verb", ""))
)
def test_an_operation_is_refused_and_the_refusal_is_audited(bare_platform: Platform, noun, spec: Operation) -> None:
    service = noun.load()(bare_platform)
    needed = {
        name: None
        for name, parameter in spec.signature.parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    with access.acting_as(NOBODY):
        with pytest.raises(Denied):
            getattr(service, spec.function.__name__)(**needed)
        with bare_platform.read() as tx:
            found = tx.execute(select(func.count()).where(audit_rows.c.outcome == "denied")).scalar_one()
    assert found == 1


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"admin"}))
def test_no_role_but_admin_may_do_everything(role: str) -> None:
    caller = Caller("bob", "key", "default", "production", role, ROLES[role])
    assert not all(caller.may(spec.permission) for _, spec in OPERATIONS)


def test_whoever_resumes_a_run_needs_what_starting_it_takes() -> None:
    started = {(noun.name, spec.permission) for noun, spec in OPERATIONS if spec.status == 202}
    for module in JOB_MODULES:
        import_module(module)
    kinds = [kind for kind, job in jobs._jobs.items() if job.__module__.startswith("mainspring.")]
    assert len(kinds) > 8
    for kind in kinds:
        assert (kind.partition(".")[0], starting(kind)) in started, kind

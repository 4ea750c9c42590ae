"""What a key may ask for: deployments, models, releases and providers' models."""

from __future__ import annotations

import pytest

from mainspring.kernel import access
from mainspring.kernel.errors import Denied
from mainspring.kernel.platform import Platform
from mainspring.workspace import Keys, Members, authenticate, first_start, require_asked, within


@pytest.mark.parametrize(
    ("held", "allowed", "refused"),
    [
        (None, ["deployment/docs", "openai/gpt-5"], []),
        ([], [], ["deployment/docs", "model/base@3"]),
        (["deployment/docs"], ["deployment/docs", "docs"], ["deployment/docs2", "release/docs@1"]),
        (["model/base"], ["model/base@3", "model/base@latest"], ["model/base2@1"]),
        (["model/base@3"], ["model/base@3"], ["model/base@4", "model/base"]),
        (["openai/gpt-*"], ["openai/gpt-5", "openai/gpt-*"], ["openai/o5", "other/gpt-5", "openai/*"]),
        (["*"], ["deployment/docs", "openai/gpt-5"], []),
    ],
)
def test_what_patterns_allow(held: list[str] | None, allowed: list[str], refused: list[str]) -> None:
    assert [name for name in allowed if not within(held, name)] == []
    assert [name for name in refused if within(held, name)] == []


def test_a_limited_key_asks_for_nothing_else_and_makes_none_that_does(bare_platform: Platform) -> None:
    first = first_start(bare_platform)
    assert first is not None
    with access.acting_as(authenticate(bare_platform, first.secret)):
        Members(bare_platform).add("ann", "admin")
        free = Keys(bare_platform).create("ann")
        made = Keys(bare_platform).create("ann", models=["docs", "openai/gpt-*", "docs"])
    assert made.models == ["deployment/docs", "openai/gpt-*"]
    caller = authenticate(bare_platform, made.secret)
    require_asked(caller, "docs")
    with pytest.raises(Denied, match="may not ask for model/base@1"):
        require_asked(caller, "model/base@1")
    with access.acting_as(caller):
        narrower = Keys(bare_platform).create("ann", models=["openai/gpt-5"])
        assert authenticate(bare_platform, narrower.secret).models == ("openai/gpt-5",)
        with pytest.raises(Denied, match="limited to some models"):
            Keys(bare_platform).create("ann")
        with pytest.raises(Denied, match="openai/\\*"):
            Keys(bare_platform).create("ann", models=["openai/*"])
        with pytest.raises(Denied, match="limited to some models"):
            Keys(bare_platform).rotate(free.id)
        assert Keys(bare_platform).rotate(narrower.id).models == ["openai/gpt-5"]

"""The operations on engines: load, keep, show and unload a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.conftest import register_model
from tests.serving.tiny_models import write_llama

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.serving.engine_service import Engines


@pytest.fixture
def engines(platform: Platform, tmp_path: Path) -> Iterator[Engines]:
    """The service, over a pool, with the tiny llama registered as model/tiny."""
    register_model(platform, "tiny", write_llama(tmp_path / "tiny.gguf"))
    pool = EnginePool(platform.files.path, limits=EngineLimits(threads=1, drain_seconds=5))
    platform.engine_port = pool
    yield Engines(platform)
    pool.close()


def test_a_model_is_loaded_kept_shown_and_unloaded(engines: Engines, acting) -> None:  # type: ignore[no-untyped-def]
    assert engines.list_() == []
    with pytest.raises(NotFound, match="not loaded"):
        engines.get("tiny")
    loaded = engines.load("tiny", keep_alive=7)
    assert (loaded.model, loaded.state, loaded.keep_alive) == ("model/tiny@1", "ready", 7)
    assert loaded.rss_bytes > 0 < loaded.memory_bytes
    assert [(each.model, each.pid) for each in engines.list_()] == [("model/tiny@1", loaded.pid)]
    assert engines.load("tiny", keep_alive=-1).keep_alive == -1
    assert engines.load("tiny").keep_alive == EngineLimits().keep_alive
    with acting(project="elsewhere"):
        assert engines.list_() == []
    with acting(role="developer"), pytest.raises(Denied):
        engines.load("tiny")
    assert engines.unload("tiny").state == "draining"
    assert engines.list_() == []
    with pytest.raises(NotFound):
        engines.unload("tiny")


def test_what_is_no_local_model_is_not_loaded(engines: Engines, platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        engines.load("nothing")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    register_model(platform, "broken", broken)
    with pytest.raises(Invalid):
        engines.load("broken")

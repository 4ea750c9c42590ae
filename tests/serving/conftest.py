"""Fixtures of the serving tests: the base model and a pool of engines that serves it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.kernel.errors import NotFound
from mainspring.kernel.ports import EngineSpec


class Shelf:
    """Files by content hash, as the pool asks for them."""

    def __init__(self) -> None:
        self.paths: dict[str, Path] = {}

    def add(self, path: Path) -> str:
        """Take in a file and return its SHA-256."""
        with path.open("rb") as file:
            key = hashlib.file_digest(file, "sha256").hexdigest()
        self.paths[key] = path
        return key

    def path(self, sha256: str) -> Path:
        """Return where a file is."""
        if sha256 not in self.paths:
            raise NotFound("There is no such file.")
        return self.paths[sha256]


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def base_model() -> Path:
    """The base model's GGUF file."""
    folder = Path(os.environ.get("MAINSPRING_MODELS") or "~/.mainspring/models").expanduser()
    path = folder / "smollm2" / "model.gguf"
    if not path.exists():
        pytest.fail("the base model is not here: run `make install`, or deselect with -m 'not model'")
    return path


@pytest.fixture
def shelf() -> Shelf:
    """An empty shelf."""
    return Shelf()


@pytest.fixture
def pool(shelf: Shelf, tmp_path: Path) -> Iterator[EnginePool]:
    """A pool of at most two engines."""
    limits = EngineLimits(max_loaded=2, drain_seconds=20, threads=1)
    made = EnginePool(shelf.path, limits=limits, logs=tmp_path / "logs")
    yield made
    made.close()


@pytest.fixture
def spec(shelf: Shelf, base_model: Path) -> EngineSpec:
    """A small engine over the base model."""
    return EngineSpec(base=shelf.add(base_model), context=512, slots=2)

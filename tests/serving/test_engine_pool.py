"""The pool of engines: adapters that share a process, memory, and how long an idle model stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.serving.conftest import Shelf, eventually
from tests.serving.tiny_models import ask, write_adapter, write_llama

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.kernel.ports import EngineSpec

Open = Callable[..., EnginePool]
WORDS = ["red", "green", "blue"]


@pytest.fixture
def opened(shelf: Shelf, tmp_path: Path) -> Iterator[Open]:
    """Open a pool with limits of the test's own."""
    pools: list[EnginePool] = []

    def make(**limits: Any) -> EnginePool:
        given = {"drain_seconds": 20, "threads": 1, **limits}
        pools.append(EnginePool(shelf.path, limits=EngineLimits(**given), logs=tmp_path / "logs"))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.fixture
def base(shelf: Shelf, tmp_path: Path) -> EngineSpec:
    """A tiny llama."""
    return EngineSpec(base=shelf.add(write_llama(tmp_path / "tiny.gguf")), context=256, slots=2)


@pytest.fixture
def adapters(shelf: Shelf, tmp_path: Path, base: EngineSpec) -> list[EngineSpec]:
    """Three adapters over it."""
    paths = [write_adapter(tmp_path / f"adapter-{seed}.gguf", seed) for seed in range(3)]
    return [replace(base, adapter=shelf.add(path)) for path in paths]


def answers(pool: EnginePool, spec: EngineSpec) -> list[str]:
    return [ask(pool.ensure(spec), spec, word)["choices"][0]["message"]["content"] for word in WORDS]


def pids(pool: EnginePool) -> dict[EngineSpec, int]:
    return {state.spec: state.pid for state in pool.list() if state.state == "ready"}


def test_adapters_of_one_base_share_a_process_and_each_answers_as_alone(
    opened: Open, base: EngineSpec, adapters: list[EngineSpec]
) -> None:
    specs = [base, *adapters]
    alone = opened(adapters=1, max_loaded=1)
    truth = [answers(alone, spec) for spec in specs]
    assert len({tuple(told) for told in truth}) == 4, "each adapter has answers of its own"
    shared = opened()
    for _ in range(2):
        assert [answers(shared, spec) for spec in specs] == truth
    for spec, told in reversed(list(zip(specs, truth, strict=True))):
        assert answers(shared, spec) == told
    eventually(lambda: len(shared.list()) == 4)
    assert len(set(pids(shared).values())) == 1


def test_a_new_adapter_takes_over_without_cutting_an_answer_short(
    opened: Open, base: EngineSpec, adapters: list[EngineSpec]
) -> None:
    pool = opened()
    endpoint = pool.ensure(base)
    before = pids(pool)[base]
    found: list[dict[str, Any]] = []
    wanted = {"max_tokens": 200, "ignore_eos": True}
    asking = threading.Thread(target=lambda: found.append(ask(endpoint, base, "red", **wanted)))
    asking.start()
    pool.ensure(adapters[0])
    asking.join()
    assert found[0]["usage"]["completion_tokens"] == 200
    after = pids(pool)
    assert after[base] == after[adapters[0]] != before
    assert ask(endpoint, base, "red")["usage"], "whoever remembers the old endpoint may still use it for a moment"
    eventually(lambda: not psutil.pid_exists(before))


def test_a_broken_adapter_leaves_the_others_alone(opened: Open, shelf: Shelf, base: EngineSpec, tmp_path: Path) -> None:
    pool = opened()
    pool.ensure(base)
    before = pids(pool)
    wrong = replace(base, adapter=shelf.add(write_llama(tmp_path / "no-adapter.gguf", seed=7)))
    with pytest.raises(Invalid, match="refused the model"):
        pool.ensure(wrong)
    assert pids(pool) == before
    assert [state.error for state in pool.list() if state.state == "failed"] != [""]


def test_when_a_process_is_full_of_adapters_another_one_is_started(
    opened: Open, base: EngineSpec, adapters: list[EngineSpec]
) -> None:
    pool = opened(adapters=2)
    for spec in adapters:
        pool.ensure(spec)
    eventually(lambda: len(pids(pool)) == 3)
    found = pids(pool)
    assert found[adapters[0]] == found[adapters[1]] != found[adapters[2]]
    for spec in adapters:
        assert answers(pool, spec)


def test_a_model_that_is_larger_than_the_memory_is_refused_with_both_sizes(opened: Open, base: EngineSpec) -> None:
    with pytest.raises(
        Unavailable, match=r"needs up to \d+\.\d\d GiB; all local models together may take 0\.02"
    ) as caught:
        opened(memory_bytes=20 << 20).ensure(base)
    assert "engine.memory" in caught.value.hint


def test_an_idle_model_makes_room_and_a_busy_one_does_not(
    opened: Open, shelf: Shelf, base: EngineSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(base, base=shelf.add(write_llama(tmp_path / "other.gguf", seed=3)))
    need = opened()
    need.ensure(base)
    size = need.list()[0].memory_bytes
    pool = opened(memory_bytes=int(size * 1.5))
    pool.ensure(base)
    pool.ensure(other)
    eventually(lambda: list(pids(pool)) == [other])
    endpoint = pool.ensure(other)
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            ask(endpoint, other, "red", max_tokens=200, ignore_eos=True)

    asking = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in asking:
        thread.start()
    monkeypatch.setattr("mainspring.backends.engine_llamacpp.pool._ROOM_SECONDS", 0.0)
    try:
        eventually(lambda: pool.list()[0].running > 0)
        with pytest.raises(Unavailable, match="the others are busy"):
            pool.ensure(base)
    finally:
        stop.set()
        for thread in asking:
            thread.join()


def test_an_idle_model_is_unloaded_when_its_time_is_up(
    opened: Open, shelf: Shelf, base: EngineSpec, tmp_path: Path
) -> None:
    other = replace(base, base=shelf.add(write_llama(tmp_path / "other.gguf", seed=3)))
    pool = opened(keep_alive=0.0)
    pool.ensure(base)
    pool.ensure(other)
    pool.keep(other, -1)
    kept = {state.spec: state.keep_alive for state in pool.list()}
    assert kept == {base: 0.0, other: -1}
    eventually(lambda: [state.spec for state in pool.list()] == [other])


def test_it_tells_what_it_did(opened: Open, base: EngineSpec) -> None:
    pool = opened()
    long = "a sentence that is long enough for its beginning to be worth keeping " * 2
    for _ in range(2):
        reply = ask(pool.ensure(base), base, long)
    assert reply["usage"]["prompt_tokens_details"]["cached_tokens"] > 100
    state = pool.list()[0]
    assert (state.running, state.waiting, state.generated_tokens) == (0, 0, 16)
    assert state.cached_tokens > 100
    assert state.prompt_tokens < reply["usage"]["prompt_tokens"] * 2
    assert 0 < state.cache_usage <= 1
    assert state.generation_seconds > 0


def test_an_adapter_that_was_unloaded_leaves_with_the_process(
    opened: Open, base: EngineSpec, adapters: list[EngineSpec]
) -> None:
    pool = opened()
    pool.ensure(base)
    for spec in adapters[:2]:
        pool.ensure(spec)
    assert pool.stop(adapters[0])
    assert set(pids(pool)) == {base, adapters[1]}
    assert pool.ensure(adapters[2]).adapters == (adapters[1].adapter, adapters[2].adapter)
    assert answers(pool, adapters[0])

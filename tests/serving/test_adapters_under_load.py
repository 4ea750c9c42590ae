"""Adapters that come while others answer: no call is lost, and none is answered by another adapter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from tests.serving.conftest import FixedEngine, eventually, register_model
from tests.serving.pooled import Pooled
from tests.serving.tiny_models import write_adapter, write_llama

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import SpanFilter
from mainspring.registry import ModelContent, ModelFile, register

WORDS = ("red", "green", "blue")


@pytest.fixture
def pool(platform: Platform, fixed_engine: FixedEngine) -> Iterator[EnginePool]:
    """The platform's engines."""
    made = EnginePool(platform.files.path, limits=EngineLimits(threads=1, cache_mib=64))
    platform.engine_port = Pooled(made)
    yield made
    made.close()


@pytest.fixture
def models(platform: Platform, pool: EnginePool, tmp_path: Path) -> list[str]:
    """A tiny base and three adapters over it."""
    base = register_model(platform, "tiny", write_llama(tmp_path / "tiny.gguf", printable=True))
    found = [base]
    for seed in range(3):
        stored = platform.files.put(write_adapter(tmp_path / f"{seed}.gguf", seed))
        file = ModelFile(path="adapter.gguf", sha256=stored.sha256, size=stored.size, role="adapter")
        with platform.begin() as tx:
            found.append(register(tx, f"tuned-{seed}", ModelContent(format="lora", files=[file], base=base)).ref)
    return found


def asked(client: OpenAI, model: str, word: str, *, stream: bool = False) -> str:
    messages: Any = [{"role": "user", "content": word}]
    options: Any = {"model": model, "messages": messages, "max_tokens": 6, "temperature": 0}
    if stream:
        pieces = client.chat.completions.create(**options, stream=True)
        return "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    return str(client.chat.completions.create(**options).choices[0].message.content)


def test_adapters_come_under_load_and_every_answer_is_that_of_its_own(
    platform: Platform, pool: EnginePool, models: list[str], client: OpenAI, tmp_path: Path
) -> None:
    alone = EnginePool(platform.files.path, limits=EngineLimits(threads=1, adapters=1, max_loaded=1))
    shared, platform.engine_port.pool = pool, alone  # type: ignore[union-attr]
    truth = {(model, word): asked(client, model, word) for model in models for word in WORDS}
    platform.engine_port.pool = shared  # type: ignore[union-attr]
    alone.close()
    assert len({truth[model, "red"] for model in models}) == 4
    wrong: list[tuple[str, str, str]] = []
    failed: list[BaseException] = []
    told: dict[str, int] = dict.fromkeys(models, 0)
    stop, lock = threading.Event(), threading.Lock()

    def go_on(number: int) -> None:
        turn = number
        while not stop.is_set():
            turn += 1
            model, word = known[turn % len(known)], WORDS[turn % 3]
            try:
                answer = asked(client, model, word, stream=turn % 2 == 0)
            except BaseException as error:
                failed.append(error)
                return
            with lock:
                told[model] += 1
                if answer != truth[model, word]:
                    wrong.append((model, word, answer))

    known = models[:1]
    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    try:
        for count in range(1, len(models) + 1):
            known = models[:count]
            newest, before = models[count - 1], dict(told)
            eventually(lambda: failed or wrong or told[newest] >= before[newest] + 6, 120)  # noqa: B023
        seen = dict(told)
        eventually(lambda: failed or wrong or min(told[model] - seen[model] for model in models) >= 6, 120)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert (failed, wrong) == ([], [])
    ready = [state for state in pool.list() if state.state == "ready"]
    assert (len(ready), len({state.pid for state in ready})) == (4, 1), "all four in one process by now"
    platform.spans.flush()
    spans = list(platform.spans.scan("default", SpanFilter(), limit=100_000))
    assert len(spans) == sum(told.values()) + len(truth)
    assert {span.status for span in spans} == {"ok"}

"""Traffic over the gateway: back-pressure, adapters, and the real engine that is killed while it answers."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import FixedEngine, Served, Upstream, eventually, register_model
from tests.serving.tiny_models import write_bert

from mainspring.backends.embed_minilm import open_embed
from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.kernel import settings
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import Endpoint, EngineSpec, EngineState
from mainspring.registry import ModelContent, ModelFile, engine_spec, register
from mainspring.serving.engine_service import Engines
from mainspring.serving.engines import queued

HI: Any = [{"role": "user", "content": "Say hi"}]


@pytest.fixture
def waiting() -> int:
    """How many may wait."""
    return 1


@pytest.fixture
def narrow(platform: Platform, tmp_path: Path, waiting: int) -> Platform:
    """A platform whose engines answer one request at a time and let few wait."""
    flags = {"home": str(platform.home), "engine.slots": 1, "engine.queue": waiting}
    platform.settings = settings.load(flags, environ={}, folder=tmp_path)
    return platform


def test_too_many_at_once_are_told_to_come_back(
    narrow: Platform, client: OpenAI, upstream: Upstream, small_model: str
) -> None:
    upstream.hold = True
    held = client.chat.completions.create(model=small_model, messages=HI, stream=True)
    next(iter(held))
    refused: list[openai.RateLimitError] = []
    answered: list[Any] = []

    def ask() -> None:
        try:
            answered.append(client.chat.completions.create(model=small_model, messages=HI))
        except openai.RateLimitError as error:
            refused.append(error)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    eventually(lambda: len(refused) == 3)
    with narrow.read() as tx:
        assert queued(engine_spec(tx, small_model)) == 1
    assert int(refused[0].response.headers["retry-after"]) >= 1
    upstream.hold = False
    held.close()
    for asker in askers:
        asker.join()
    assert [answer.choices[0].message.content for answer in answered] == ["Hello there."]


@pytest.mark.parametrize("waiting", [20])
def test_a_key_with_many_calls_does_not_hold_up_another(
    narrow: Platform, client: OpenAI, gateway_url: str, upstream: Upstream, small_model: str
) -> None:
    with narrow.read() as tx:
        spec = engine_spec(tx, small_model)
    upstream.hold = True
    held = client.chat.completions.create(model=small_model, messages=HI, stream=True)
    next(iter(held))
    other = OpenAI(base_url=f"{gateway_url}/v1", api_key="dev", max_retries=0)
    askers = []
    for number, (asking, text) in enumerate([(client, "many")] * 4 + [(other, "few")]):
        message: Any = [{"role": "user", "content": text}]
        options = {"model": small_model, "messages": message}
        askers.append(threading.Thread(target=asking.chat.completions.create, kwargs=options))
        askers[-1].start()
        eventually(lambda wanted=number + 1: queued(spec) == wanted)
    upstream.hold = False
    held.close()
    for asker in askers:
        asker.join()
    other.close()
    assert [body["messages"][0]["content"] for body in upstream.bodies[1:]] == ["many", "few", "many", "many", "many"]


def test_an_adapter_is_named_on_every_request(
    platform: Platform, client: OpenAI, upstream: Upstream, small_model: str
) -> None:
    stored = platform.files.put(b"GGUF, an adapter as far as the store is concerned")
    file = ModelFile(path="adapter.gguf", sha256=stored.sha256, size=stored.size, role="adapter")
    with platform.begin() as tx:
        tuned = register(tx, "tuned", ModelContent(format="lora", files=[file], base=small_model)).ref
    client.chat.completions.create(model=tuned, messages=HI)
    list(client.chat.completions.create(model=tuned, messages=HI, stream=True))
    assert [body["lora"] for body in upstream.bodies] == [[{"id": 0, "scale": 1.0}]] * 2


def test_engines_of_other_projects_are_not_shown(
    platform: Platform, fixed_engine: FixedEngine, small_model: str, acting: Any
) -> None:
    with platform.read() as tx:
        ours = engine_spec(tx, small_model)
    specs = [ours, EngineSpec("f" * 64), EngineSpec(ours.base, "f" * 64), EngineSpec(ours.base[:8])]
    fixed_engine.states = [EngineState(spec, "ready", 1, 0, "", 0, 0.0) for spec in specs]
    assert [(engine.base, engine.adapter) for engine in Engines(platform).list_()] == [(ours.base, "")]
    with acting(project="other"):
        assert Engines(platform).list_() == []


class Switchable(FixedEngine):
    """The Engine port over a pool, behind the same fixture as the tiny server."""

    def __init__(self, pool: EnginePool) -> None:
        super().__init__()
        self.pool = pool

    def ensure(self, spec: EngineSpec) -> Endpoint:
        """Ask the pool."""
        return self.pool.ensure(spec)


@pytest.fixture
def real(platform: Platform, fixed_engine: FixedEngine, tmp_path: Path) -> Iterator[EnginePool]:
    """The platform's engine is llama.cpp."""
    pool = EnginePool(platform.files.path, limits=EngineLimits(threads=1), logs=tmp_path / "logs")
    platform.engine_port = Switchable(pool)
    yield pool
    pool.close()


@pytest.mark.model
def test_the_official_client_talks_to_the_real_engine(
    real: EnginePool, platform: Platform, client: OpenAI, base_model: Path
) -> None:
    model = register_model(platform, "base", base_model)
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}
    shape: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = client.chat.completions.create(
        model=model, messages=HI, max_tokens=40, temperature=0, response_format=shape, seed=1
    )
    assert "city" in json.loads(answer.choices[0].message.content or "")
    asked: Any = {"model": model, "messages": HI, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    pieces = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    assert streamed == whole.choices[0].message.content
    assert pieces[-1].usage == whole.usage or pieces[-1].usage.completion_tokens == 12
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "word " * 3000}])
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.model
def test_a_call_survives_the_death_of_its_engine(
    real: EnginePool, platform: Platform, client: OpenAI, base_model: Path
) -> None:
    model = register_model(platform, "base", base_model)
    client.chat.completions.create(model=model, messages=HI, max_tokens=1)
    answers: list[Any] = []
    ask: Any = {"model": model, "messages": HI, "max_tokens": 60, "temperature": 0}
    asking = threading.Thread(target=lambda: answers.append(client.chat.completions.create(**ask)))
    asking.start()
    os.kill(real.list()[0].pid, signal.SIGKILL)
    asking.join()
    assert answers[0].usage.completion_tokens > 0
    assert real.list()[0].restarts == 1


@pytest.mark.model
def test_embeddings(platform: Platform, client: OpenAI, base_model: Path, gateway_server: Served) -> None:
    os_models = base_model.parent.parent
    platform.embed_port = open_embed(
        "", platform.home, settings.load({"models": str(os_models)}, environ={}, folder=platform.home)
    )
    name = "embed-minilm"
    texts = ["a cat", "a dog", "unbelievably"]
    plain = client.embeddings.create(model=name, input=texts, encoding_format="float", dimensions=384)
    packed = client.embeddings.create(model="all-MiniLM-L6-v2", input="a cat")
    assert (len(plain.data), plain.model, packed.model) == (3, name, "all-MiniLM-L6-v2")
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding, abs=1e-6)
    # [CLS] a cat [SEP], [CLS] a dog [SEP], [CLS] un ##bel ##ie ##va ##bly [SEP]
    assert (plain.usage.prompt_tokens, packed.usage.prompt_tokens) == (15, 4)
    platform.spans.flush()
    for wrong in ({"model": "other"}, {"input": ""}, {"dimensions": 5}):
        with pytest.raises((openai.BadRequestError, openai.NotFoundError)):
            client.embeddings.create(**{"model": name, "input": "x", **wrong})
    assert name in [model.id for model in client.models.list()]


def test_a_local_file_of_bert_makes_embeddings_and_no_answers(
    real: EnginePool, platform: Platform, client: OpenAI, tmp_path: Path
) -> None:
    stored = platform.files.put(write_bert(tmp_path / "bert.gguf"))
    file = ModelFile(path="model.gguf", sha256=stored.sha256, size=stored.size, role="weights")
    content = ModelContent(format="gguf", files=[file], architecture="bert", context=64)
    with platform.begin() as tx:
        model = register(tx, "bert", content).ref
    made = client.embeddings.create(model=model, input=["ab", "cd"], encoding_format="float")
    assert [len(each.embedding) for each in made.data] == [32, 32]
    assert made.usage.prompt_tokens == 8
    assert made.data[0].embedding != made.data[1].embedding
    packed = client.embeddings.create(model=model, input="ab")
    assert packed.data[0].embedding == pytest.approx(made.data[0].embedding, abs=1e-5)
    with pytest.raises(openai.BadRequestError, match="no answers"):
        client.chat.completions.create(model=model, messages=HI)

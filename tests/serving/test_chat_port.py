"""The Chat port, over a server whose behaviour is chosen and over the real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.serving.conftest import FixedEngine, Upstream, register_model

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.evals.scorers import Answer, metric
from mainspring.kernel import access
from mainspring.kernel.errors import Invalid, NotFound, Unavailable
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.prompts.service import Prompts
from mainspring.registry.models import Parameters
from mainspring.registry.service import Releases
from mainspring.serving.chat import EngineChat
from mainspring.serving.service import Deployments
from mainspring.workspace import Projects

SCHEMA = {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]}


def request(model: str, text: str = "Say hi", **more: object) -> ChatRequest:
    return ChatRequest(model=model, messages=[{"role": "user", "content": text}], **more)  # type: ignore[arg-type]


@pytest.fixture
def chat(platform: Platform, fixed_engine: FixedEngine) -> EngineChat:
    return EngineChat(platform)


def test_it_answers(chat: EngineChat, upstream: Upstream, small_model: str) -> None:
    reply = chat.complete(request(small_model, max_tokens=9, seed=4, stop=["x"], schema=SCHEMA))
    assert (reply.text, reply.finish_reason, reply.input_tokens, reply.output_tokens) == ("Hello there.", "stop", 7, 3)
    assert reply.latency_ms > 0
    body = upstream.bodies[0]
    assert (body["max_tokens"], body["temperature"], body["seed"], body["stop"]) == (9, 0.0, 4, ["x"])
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


def test_further_options_go_along_and_calls_of_tools_come_back(
    chat: EngineChat, upstream: Upstream, small_model: str
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}
    upstream.tool_calls, upstream.words = [call], []
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    reply = chat.complete(request(small_model, extra={"top_p": 0.4, "tools": [tool], "seed": 9}, seed=2))
    body = upstream.bodies[0]
    assert (body["top_p"], body["tools"], body["seed"]) == (0.4, [tool], 2)
    wanted = {"name": "look", "arguments": {"at": "sky"}}
    assert metric("tool_call").value(Answer(reply.text, wanted)) == 1.0


def test_many_come_back_in_order_and_each_has_its_own_fate(
    chat: EngineChat, upstream: Upstream, small_model: str
) -> None:
    heard: dict[int, ChatReply | Exception] = {}
    requests = [request(small_model), request("model/nothing"), request(small_model)]
    replies = chat.complete_many(requests, concurrency=2, on_reply=lambda i, reply: heard.update({i: reply}))
    assert isinstance(replies[1], NotFound)
    assert [isinstance(reply, ChatReply) for reply in replies] == [True, False, True]
    assert [heard[i] for i in range(3)] == replies
    assert chat.complete_many([]) == []


def test_a_batch_can_be_given_up(chat: EngineChat, small_model: str) -> None:
    class Stop(Exception):
        pass

    def stop(index: int, reply: ChatReply | Exception) -> None:
        raise Stop

    with pytest.raises(Stop):
        chat.complete_many([request(small_model)] * 50, concurrency=2, on_reply=stop)
    assert chat.complete(request(small_model)).text == "Hello there."


def test_errors_are_named(chat: EngineChat, upstream: Upstream, small_model: str) -> None:
    upstream.fail = (400, {"error": {"type": "invalid_request_error", "message": "no"}})
    with pytest.raises(Invalid):
        chat.complete(request(small_model))
    upstream.fail = (500, {"error": {"type": "server_error", "message": "broken"}})
    with pytest.raises(Unavailable, match="broken"):
        chat.complete(request(small_model))


def test_a_bare_name_of_a_model_is_told_from_a_deployments(chat: EngineChat, small_model: str) -> None:
    name = small_model.partition("/")[2].partition("@")[0]
    with pytest.raises(NotFound, match="There is no deployment") as caught:
        chat.complete(request(name))
    assert caught.value.hint == f"Did you mean model/{name}?"


def test_a_deployment_of_another_environment_is_told_of(chat: EngineChat, platform: Platform, small_model: str) -> None:
    Projects(platform).create("default")
    made = Releases(platform).create("asked", model=small_model).ref
    with access.acting_as(replace(access.current(), environment="staging")):
        Deployments(platform).create("asked", made)
    with pytest.raises(NotFound, match="There is no deployment asked in production") as caught:
        chat.complete(request("asked"))
    assert caught.value.hint == "There is one in staging: send the header x-mainspring-environment."
    with pytest.raises(NotFound) as found:
        Deployments(platform).get("asked")
    assert found.value.hint == "There is one in staging; name the environment."


def test_a_release_brings_its_prompt_and_parameters(
    platform: Platform, chat: EngineChat, upstream: Upstream, small_model: str
) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Text: {{input}}"}]
    prompt = Prompts(platform).commit("short", messages, schema=SCHEMA)  # type: ignore[arg-type]
    parameters = Parameters(temperature=0.0, max_tokens=5, constrained=True)
    release = Releases(platform).create("short", model=small_model, prompt=prompt.ref, parameters=parameters)
    chat.complete(request(release.ref, "abc", max_tokens=50, temperature=1.5))
    body = upstream.bodies[0]
    assert body["messages"] == [messages[0], {"role": "user", "content": "Text: abc"}]
    assert (body["max_tokens"], body["temperature"]) == (5, 0.0)
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert "constrained" not in body


@pytest.fixture
def real_chat(platform: Platform, base_model: Path, tmp_path: Path) -> Iterator[EngineChat]:
    pool = EnginePool(platform.files.path, limits=EngineLimits(threads=1), logs=tmp_path / "logs")
    platform.engine_port = pool
    yield EngineChat(platform)
    pool.close()


@pytest.mark.model
def test_the_real_engine_answers_many_with_a_schema(
    platform: Platform, real_chat: EngineChat, base_model: Path
) -> None:
    model = register_model(platform, "base", base_model)
    replies = real_chat.complete_many(
        [request(model, f"Which kind is number {i}?", schema=SCHEMA, max_tokens=24) for i in range(4)], concurrency=4
    )
    for reply in replies:
        assert isinstance(reply, ChatReply)
        assert json.loads(reply.text)["kind"] in ("a", "b")
        assert reply.input_tokens > 10
    again = real_chat.complete(request(model, "Which kind is number 0?", schema=SCHEMA, max_tokens=24))
    assert again.text == replies[0].text  # type: ignore[union-attr]

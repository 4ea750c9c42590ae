"""The guard matrix: every endpoint, streaming or not, both stages, every action, and a detector that fails."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI
from tests.serving.conftest import Upstream, eventually, last_span
from tests.serving.leaving import leave
from tests.serving.vendor import Vendor

from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import SpanFilter
from mainspring.prompts.service import Prompts
from mainspring.registry import Models, Providers
from mainspring.registry.service import Releases
from mainspring.safety import Rule, detectors
from mainspring.safety.service import Guards

ADDRESS = "bob@example.org"
ENDPOINTS = ["chat", "completions", "responses", "messages"]
REFUSED = (openai.BadRequestError, anthropic.BadRequestError)
WORDS = ["Write to ", "bob@exa", "mple.org", " today."]


def release_with(platform: Platform, model: str, **rule: Any) -> str:
    Guards(platform).create("house", [Rule(detector="pii", **rule)], message="Not here.")
    return Releases(platform).create("guarded", model=model, guard="guard/house").ref


def heard(events: Any) -> tuple[str, Any]:
    """Return the text that a stream of responses told, and the response at its end."""
    told = list(events)
    return "".join(event.delta for event in told if event.type == "response.output_text.delta"), told[-1].response


def as_chat_ends(text: str, response: Any) -> tuple[str, str]:
    """Return the text, and why the answer ended in the words of a chat."""
    assert text == response.output_text
    return text, "stop" if response.status == "completed" else response.incomplete_details.reason


def ask(client: OpenAI, model: str, endpoint: str, stream: bool, text: str) -> tuple[str, str]:
    """Return the text and the finish reason."""
    made: Any
    if endpoint == "chat":
        messages: Any = [{"role": "user", "content": text}]
        made = client.chat.completions.create(model=model, messages=messages, stream=stream)
        if not stream:
            return made.choices[0].message.content, made.choices[0].finish_reason
        choices = [chunk.choices[0] for chunk in made]
        return "".join(choice.delta.content or "" for choice in choices), choices[-1].finish_reason
    if endpoint == "responses":
        made = client.responses.create(model=model, input=text, stream=stream)
        return as_chat_ends(*(heard(made) if stream else (made.output_text, made)))
    if endpoint == "messages":
        asked: Any = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
        with Anthropic(base_url=str(client.base_url).removesuffix("v1/"), api_key="ann", max_retries=0) as claude:
            if not stream:
                made = claude.messages.create(**asked)
            else:
                with claude.messages.stream(**asked) as events:
                    made = events.get_final_message()
        reason = {"end_turn": "stop", "refusal": "content_filter"}[made.stop_reason]
        return "".join(block.text for block in made.content), reason
    made = client.completions.create(model=model, prompt=text, stream=stream)
    choices = [chunk.choices[0] for chunk in made] if stream else made.choices
    return "".join(choice.text for choice in choices), choices[-1].finish_reason


def seen_by(upstream: Upstream) -> str:
    return json.dumps(upstream.bodies)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("action", ["log", "mask", "block"])
def test_input(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str, endpoint: str, stream: bool, action: str
) -> None:
    release = release_with(platform, small_model, on="input", action=action)
    if action == "block":
        with pytest.raises(REFUSED, match="Not here") as caught:
            ask(client, release, endpoint, stream, f"I am {ADDRESS}")
        assert getattr(caught.value, "code", "content_filter") == "content_filter"
        assert upstream.bodies == []
    else:
        assert ask(client, release, endpoint, stream, f"I am {ADDRESS}") == ("Hello there.", "stop")
        assert (ADDRESS in seen_by(upstream)) == (action == "log")
    span = last_span(platform)
    assert span.attributes["mainspring.guard.action"] == action
    [hit] = span.attributes["mainspring.guard.hits"]
    assert (hit["stage"], hit["detector"], hit["kind"]) == ("input", "pii", "email")
    assert (ADDRESS in str(span.input)) == (action != "mask")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("action", ["log", "mask", "block"])
def test_output(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str, endpoint: str, stream: bool, action: str
) -> None:
    release = release_with(platform, small_model, on="output", action=action)
    upstream.words = WORDS
    text, reason = ask(client, release, endpoint, stream, "Whom?")
    if action == "log":
        assert (text, reason) == ("".join(WORDS), "stop")
    elif action == "mask":
        assert (text, reason) == ("Write to [EMAIL] today.", "stop")
    else:
        assert "bob" not in text
        assert reason == "content_filter"
    span = last_span(platform)
    assert span.attributes["mainspring.guard.action"] == action
    assert [hit["kind"] for hit in span.attributes["mainspring.guard.hits"]] == ["email"]
    assert (ADDRESS in str(span.output)) == (action == "log")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stage", ["input", "output"])
@pytest.mark.parametrize("action", ["log", "mask", "block"])
def test_a_detector_that_fails_lets_nothing_through(
    client: OpenAI,
    platform: Platform,
    upstream: Upstream,
    small_model: str,
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str,
    stream: bool,
    stage: Any,
    action: Any,
) -> None:
    release = release_with(platform, small_model, on=stage, action=action)

    def broken(*_: object) -> Any:
        raise RuntimeError("broken")

    broken_detector = replace(detectors.get("pii"), find=broken, hold=broken)
    monkeypatch.setitem(detectors._DETECTORS, "pii", broken_detector)
    upstream.words = WORDS
    if stage == "input":
        with pytest.raises(REFUSED):
            ask(client, release, endpoint, stream, "Whom?")
        assert upstream.bodies == []
        return
    text, reason = ask(client, release, endpoint, stream, "Whom?")
    if action == "log" and stream:
        # A rule that only logs holds nothing back, so that its failure is known at the end only: it is never "stop".
        assert reason == "content_filter"
    else:
        assert (text, reason) == ("", "content_filter")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("place", ["arguments", "name"])
@pytest.mark.parametrize("action", ["mask", "block"])
def test_tool_calls_are_output_too(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str, stream: bool, place: str, action: str
) -> None:
    release = release_with(platform, small_model, on="output", action=action)
    function = {"name": "send", "arguments": "{}", place: f'{{"to": "{ADDRESS}"}}'}
    upstream.tool_calls = [{"id": "call_1", "type": "function", "function": function}]
    upstream.words = []
    messages: Any = [{"role": "user", "content": "Send it"}]
    made: Any = client.chat.completions.create(model=release, messages=messages, stream=stream)
    shown = str([chunk.model_dump() for chunk in made] if stream else made.model_dump())
    assert ADDRESS not in shown
    assert ("[EMAIL]" in shown) == (action == "mask")
    assert ("content_filter" in shown) == (action == "block")


@pytest.mark.parametrize("where", ["earlier", "parts", "tools", "schema", "call"])
def test_whatever_the_model_reads_is_input(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str, where: str
) -> None:
    release = release_with(platform, small_model, on="input", action="block")
    text = f"I am {ADDRESS}"
    last = {"role": "user", "content": "Hi"}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"to": ADDRESS})}}
    extra: dict[str, Any] = {
        "earlier": {"messages": [{"role": "assistant", "content": text}, last]},
        "parts": {
            "messages": [{"role": "user", "content": [{"type": "text", "text": p} for p in ("I am bob@", text)]}]
        },
        "tools": {"messages": [last], "tools": [{"type": "function", "function": {"name": "f", "description": text}}]},
        "schema": {
            "messages": [last],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "object", "description": text}},
            },
        },
        "call": {"messages": [{"role": "assistant", "tool_calls": [call]}, last]},
    }[where]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=release, **extra)
    assert caught.value.code == "content_filter"
    assert upstream.bodies == []


def test_what_is_refused_is_logged_with_what_the_policy_masks(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str
) -> None:
    rules = [Rule(detector="pii", action="mask"), Rule(detector="terms", terms=["magic word"], action="block")]
    Guards(platform).create("house", rules)
    release = Releases(platform).create("guarded", model=small_model, guard="guard/house").ref
    with pytest.raises(openai.BadRequestError):
        ask(client, release, "chat", False, f"The magic word, says {ADDRESS}")
    span = last_span(platform)
    assert span.input[0]["parts"][0]["content"] == "The magic word, says [EMAIL]"
    assert span.status_message == "blocked by the guard"


@pytest.mark.parametrize("action", ["mask", "block"])
def test_variables_are_input_too(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str, action: Any
) -> None:
    Guards(platform).create("house", [Rule(detector="pii", on="input", action=action)])
    messages: Any = [{"role": "system", "content": "{{who}} {{card}} {{facts}}"}]
    types: Any = {"who": {}, "card": {"type": "json"}, "facts": {"type": "json"}}
    prompt = Prompts(platform).commit("letter", messages, variables=types).ref
    release = Releases(platform).create("guarded", model=small_model, prompt=prompt, guard="guard/house").ref
    facts = {ADDRESS: [{"to": ADDRESS}, True, None, 7]}
    values = {"variables": {"who": f"I am {ADDRESS}", "card": 4111111111111111, "facts": facts}}
    hi: Any = [{"role": "user", "content": "Hi"}]
    if action == "block":
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=release, messages=hi, extra_body=values)
        assert caught.value.code == "content_filter"
        assert upstream.bodies == []
        return
    client.chat.completions.create(model=release, messages=hi, extra_body=values)
    [body] = upstream.bodies
    framed = 'I am [EMAIL] "[CARD]" {"[EMAIL]": [{"to": "[EMAIL]"}, true, null, 7]}'
    assert body["messages"][0]["content"] == framed


@pytest.mark.parametrize("name", ["tools", "response_format"])
def test_a_mask_that_breaks_the_json_is_refused(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str, name: str
) -> None:
    release = release_with(platform, small_model, on="input", action="mask")
    schema = {"type": "object", "properties": {"n": {"default": 4111111111111111}}}
    extra: dict[str, Any] = {
        "tools": {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]},
        "response_format": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}},
    }[name]
    messages: Any = [{"role": "user", "content": f"I am {ADDRESS}"}]
    with pytest.raises(openai.BadRequestError, match="Not here") as caught:
        client.chat.completions.create(model=release, messages=messages, **extra)
    assert caught.value.code == "content_filter"
    assert upstream.bodies == []
    span = last_span(platform)
    assert span.attributes["mainspring.guard.action"] == "block"
    assert ADDRESS not in str(span.input)


def test_a_call_that_fails_after_the_guard_is_logged_masked(
    client: OpenAI, platform: Platform, upstream: Upstream, small_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = release_with(platform, small_model, on="input", action="mask")

    def broken(*_: object) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr("mainspring.serving.preparing.guard_options", broken)
    with pytest.raises(openai.InternalServerError):
        ask(client, release, "chat", False, f"I am {ADDRESS}")
    span = last_span(platform)
    assert span.status == "error"
    assert span.input[0]["parts"][0]["content"] == "I am [EMAIL]"


def watched(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """Return where the detector of personal data runs: event loops, or None for a thread of its own."""
    pii, loops = detectors.get("pii"), set[Any]()

    def find(text: str, start: int, rule: Rule) -> Any:
        try:
            loops.add(asyncio.get_running_loop())
        except RuntimeError:
            loops.add(None)
        return pii.find(text, start, rule)

    monkeypatch.setitem(detectors._DETECTORS, "pii", replace(pii, find=find))
    return loops


@pytest.mark.parametrize("where", ["call", "tools", "variables"])
def test_whatever_is_long_is_guarded_off_the_event_loop(
    client: OpenAI, platform: Platform, small_model: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    release = release_with(platform, small_model, on="input", action="mask")
    loops = watched(monkeypatch)
    long, last = "word " * 1000, {"role": "user", "content": "Hi"}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"x": long})}}
    extra: dict[str, Any] = {
        "call": {"messages": [{"role": "assistant", "tool_calls": [call]}, last]},
        "tools": {"messages": [last], "tools": [{"type": "function", "function": {"name": "f", "description": long}}]},
        "variables": {"messages": [last], "extra_body": {"variables": {"x": long}}},
    }[where]
    client.chat.completions.create(model=release, **extra)
    assert loops == {None}


@pytest.mark.parametrize("stream", [False, True])
def test_whatever_is_long_is_masked_for_the_record_off_the_event_loop(
    client: OpenAI, platform: Platform, small_model: str, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    rules = [Rule(detector="terms", terms=["magic word"], action="block"), Rule(detector="pii", action="mask")]
    Guards(platform).create("house", rules)
    release = Releases(platform).create("guarded", model=small_model, guard="guard/house").ref
    loops = watched(monkeypatch)
    with pytest.raises(openai.BadRequestError):
        ask(client, release, "chat", stream, "word " * 1000 + f"The magic word, says {ADDRESS}")
    assert loops == {None}
    assert str(last_span(platform).input).count("[EMAIL]") == 1


@pytest.mark.parametrize("stream", [False, True])
def test_of_a_client_that_leaves_while_it_is_guarded_nothing_is_stored(
    client: OpenAI, platform: Platform, small_model: str, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    release = release_with(platform, small_model, on="input", action="mask")
    pii, reading, go_on = detectors.get("pii"), threading.Event(), threading.Event()

    def find(text: str, start: int, rule: Rule) -> Any:
        reading.set()
        go_on.wait(60)
        return pii.find(text, start, rule)

    monkeypatch.setitem(detectors._DETECTORS, "pii", replace(pii, find=find))
    try:
        asked = [{"role": "user", "content": "word " * 1000 + f"I am {ADDRESS}"}]
        leave(client, {"model": release, "messages": asked, "stream": stream}, when=reading.is_set)
        eventually(lambda: platform.spans.flush() or list(platform.spans.scan("default", SpanFilter(), limit=1)))
    finally:
        go_on.set()
    span = last_span(platform)
    assert span.status_message == "the client went away"
    assert not span.input


@pytest.fixture
def vectors(platform: Platform, providers: Providers) -> str:
    """A provider's model that makes vectors; the embedding model that is built in belongs to no release."""
    return Models(platform).connect("vectors", "acme", "big").ref


@pytest.mark.parametrize("action", ["log", "mask", "block"])
def test_texts_to_embed(client: OpenAI, platform: Platform, vendor: Vendor, vectors: str, action: str) -> None:
    release = release_with(platform, vectors, on="input", action=action)
    if action == "block":
        with pytest.raises(openai.BadRequestError, match="Not here") as caught:
            client.embeddings.create(model=release, input=["a cat", ADDRESS], encoding_format="float")
        assert caught.value.code == "content_filter"
        assert vendor.bodies == []
    else:
        client.embeddings.create(model=release, input=["a cat", ADDRESS], encoding_format="float")
        assert vendor.bodies[-1]["input"] == ["a cat", ADDRESS if action == "log" else "[EMAIL]"]
    span = last_span(platform)
    assert span.attributes["mainspring.guard.action"] == action
    assert [hit["kind"] for hit in span.attributes["mainspring.guard.hits"]] == ["email"]
    assert (ADDRESS in str(span.input)) == (action != "mask")


@pytest.mark.parametrize("action", ["log", "mask", "block"])
def test_a_detector_that_fails_lets_no_text_be_embedded(
    client: OpenAI, platform: Platform, vendor: Vendor, vectors: str, monkeypatch: pytest.MonkeyPatch, action: Any
) -> None:
    release = release_with(platform, vectors, on="input", action=action)

    def broken(*_: object) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setitem(detectors._DETECTORS, "pii", replace(detectors.get("pii"), find=broken, hold=broken))
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=release, input="a cat", encoding_format="float")
    assert vendor.bodies == []

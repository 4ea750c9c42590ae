"""`wrap`: the real clients of OpenAI and Anthropic, against canned answers, synchronous and not, streamed and not."""

from __future__ import annotations

import asyncio

import anthropic
import httpx
import openai
import pytest
from pydantic import BaseModel
from tests.sdk.canned import MODEL, TOOL

import mainspring

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
ASKED = [{"role": "user", "content": "how is it?"}]
SAID = [{"role": "user", "parts": [{"type": "text", "content": "how is it?"}]}]
FINE = [{"type": "text", "content": "Fine weather."}]
CALLED = [{"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Bern"}}]


@pytest.fixture
def client(sink, server):
    return mainspring.wrap(openai.OpenAI(api_key="k", base_url=server.url + "/v1", max_retries=0))


@pytest.fixture
def async_client(sink, server):
    return mainspring.wrap(openai.AsyncOpenAI(api_key="k", base_url=server.url + "/v1", max_retries=0))


def check_chat(span, parts=FINE, reason="stop", counted=True):
    assert (span.kind, span.provider, span.model, span.input) == ("chat", "openai", MODEL, SAID)
    assert span.output == [{"role": "assistant", "parts": parts, "finish_reason": reason}]
    counts = (20, 9, 8) if counted else (None, None, None)
    assert (span.input_tokens, span.output_tokens, span.cached_tokens) == counts
    assert span.attributes.get("gen_ai.usage.reasoning.output_tokens") == (4 if counted else None)


def test_a_chat_is_recorded_and_carries_the_trace(client, sink, server):
    assert mainspring.wrap(client) is client
    with mainspring.span("outer") as outer:
        answer = client.chat.completions.create(
            model="gpt", messages=ASKED, temperature=0.5, extra_headers={"X-A": "1"}
        )
    assert answer.choices[0].message.content == "Fine weather."
    spans = sink.named()
    call = spans["chat gpt"]
    check_chat(call)
    assert call.parent_id == outer.span_id and call.attributes["gen_ai.request.temperature"] == 0.5
    [(_, headers, _)] = server.asked
    assert headers["traceparent"] == f"00-{call.trace_id}-{call.span_id}-01" and headers["x-a"] == "1"


def test_tools_are_recorded(client, sink):
    answer = client.chat.completions.create(model="gpt", messages=ASKED, tools=TOOLS)
    assert answer.choices[0].message.tool_calls[0].id == TOOL["id"]
    span = sink.one()
    check_chat(span, CALLED, "tool_calls")
    assert span.attributes["gen_ai.tool.definitions"] == TOOLS


@pytest.mark.parametrize("tools", [False, True])
@pytest.mark.parametrize("counted", [False, True])
def test_a_stream_is_recorded_as_it_goes_by(client, sink, tools, counted):
    how = {"tools": TOOLS} if tools else {}
    how |= {"stream_options": {"include_usage": True}} if counted else {}
    stream = client.chat.completions.create(model="gpt", messages=ASKED, stream=True, **how)
    assert isinstance(stream, openai.Stream)
    with stream:
        chunks = list(stream)
    assert len(chunks) >= 5
    span = sink.one()
    check_chat(span, CALLED if tools else FINE, "tool_calls" if tools else "stop", counted)
    assert span.ttft_ms is not None and 0 < span.ttft_ms <= (span.end_ns - span.start_ns) / 1e6


def test_a_stream_that_is_left_ends_its_span(client, sink):
    stream = client.chat.completions.create(model="gpt", messages=ASKED, stream=True)
    next(stream)
    next(stream)
    stream.close()
    assert sink.one().output[0]["parts"] == [{"type": "text", "content": "Fine"}]


def test_asynchronous_calls_and_streams(async_client, sink):
    async def calls():
        await async_client.chat.completions.create(model="gpt", messages=ASKED)
        stream = await async_client.chat.completions.create(model="gpt", messages=ASKED, stream=True)
        assert isinstance(stream, openai.AsyncStream)
        pieces = [chunk async for chunk in stream]
        await async_client.responses.create(model="gpt", input="how is it?")
        await async_client.embeddings.create(model="embed", input=["a", "b"])
        with pytest.raises(openai.InternalServerError):
            await async_client.chat.completions.create(model="broken", messages=ASKED)
        return pieces

    assert len(asyncio.run(calls())) == 5
    one, two, three, four, five = sink.spans()
    check_chat(one)
    check_chat(two, counted=False)
    check_chat(three, reason="completed")
    assert (four.kind, four.input, four.output, four.input_tokens) == ("embeddings", ["a", "b"], None, 6)
    assert five.status == "error" and "the model is broken" in five.status_message


def test_responses_streamed_and_not(client, sink):
    client.responses.create(model="gpt", input="how is it?", instructions="be short")
    with client.responses.create(model="gpt", input="how is it?", stream=True) as stream:
        assert [event.type for event in stream][-1] == "response.completed"
    one, two = sink.spans()
    check_chat(two, reason="completed")
    assert one.input[0] == {"role": "system", "parts": [{"type": "text", "content": "be short"}]}
    assert two.ttft_ms is not None


def test_helpers_and_copies_are_recorded_too(client, sink, server):
    class Weather(BaseModel):
        city: str = ""

    with pytest.raises(Exception, match=r"JSON|json"):
        client.chat.completions.parse(model="gpt", messages=ASKED, response_format=Weather)
    copied = client.with_options(timeout=60)
    assert isinstance(copied, openai.OpenAI)
    copied.chat.completions.create(model="gpt", messages=ASKED)
    raw = client.chat.completions.with_raw_response.create(model="gpt", messages=ASKED)
    assert raw.parse().choices[0].message.content == "Fine weather."
    with client.chat.completions.stream(model="gpt", messages=ASKED) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Fine weather."
    assert len(server.asked) == 4 and len(sink.spans()) >= 3


def test_an_error_stays_the_clients_own(client, sink):
    with pytest.raises(openai.InternalServerError, match="broken"):
        client.chat.completions.create(model="broken", messages=ASKED)
    span = sink.one()
    assert span.status == "error" and span.events[0]["attributes"]["exception.type"] == "InternalServerError"


def test_without_init_the_client_works(client, server):
    mainspring.shutdown(5)
    assert client.chat.completions.create(model="gpt", messages=ASKED).choices[0].message.content == "Fine weather."
    assert "traceparent" not in server.asked[-1][1]


CLAUDE_TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]
CLAUDE_CALL = [{"type": "tool_call", "id": "toolu_1", "name": "weather", "arguments": {"city": "Bern"}}]


def check_message(span, parts=FINE, reason="end_turn"):
    assert (span.kind, span.provider, span.model) == ("chat", "anthropic", "claude-canned")
    assert span.input == [{"role": "system", "parts": [{"type": "text", "content": "be short"}]}, *SAID]
    assert span.output == [{"role": "assistant", "parts": parts, "finish_reason": reason}]
    assert (span.input_tokens, span.output_tokens, span.cached_tokens) == (20, 9, 8)


@pytest.mark.parametrize("tools", [False, True])
def test_anthropic_messages_streamed_and_not(sink, server, tools):
    client = mainspring.wrap(anthropic.Anthropic(api_key="k", base_url=server.url, max_retries=0))
    how = {"model": "claude", "max_tokens": 50, "messages": ASKED, "system": "be short"}
    how |= {"tools": CLAUDE_TOOLS} if tools else {}
    client.messages.create(**how)
    stream = client.messages.create(**how, stream=True)
    assert isinstance(stream, anthropic.Stream)
    list(stream)
    with client.messages.stream(**how) as events:
        events.until_done()
        assert events.get_final_message().stop_reason == ("tool_use" if tools else "end_turn")
    spans = sink.spans()
    assert len(spans) == 3
    for span in spans:
        check_message(span, CLAUDE_CALL if tools else FINE, "tool_use" if tools else "end_turn")
    assert [span.ttft_ms is not None for span in spans] == [False, True, True]


def test_anthropic_asynchronously(sink, server):
    client = mainspring.wrap(anthropic.AsyncAnthropic(api_key="k", base_url=server.url, max_retries=0))
    how = {"model": "claude", "max_tokens": 50, "messages": ASKED, "system": "be short"}

    async def calls():
        await client.messages.create(**how)
        assert len([event async for event in await client.messages.create(**how, stream=True)]) == 8
        async with client.messages.stream(**how) as stream:
            assert await stream.get_final_text() == "Fine weather."

    asyncio.run(calls())
    spans = sink.spans()
    assert len(spans) == 3
    for span in spans:
        check_message(span)


def test_http_clients_carry_the_trace(sink, server):
    with mainspring.span("here") as here, mainspring.wrap(httpx.Client()) as http:
        http.post(server.url + "/elsewhere", json={})

    async def asynchronous():
        async with mainspring.wrap(httpx.AsyncClient()) as http:
            with mainspring.span("there"):
                await http.post(server.url + "/elsewhere", json={})

    asyncio.run(asynchronous())
    carried = [headers["traceparent"] for path, headers, _ in server.received if path == "/elsewhere"]
    assert carried[0] == here.traceparent and len(carried) == 2


def test_what_is_not_known_is_left_alone(sink, caplog):
    thing = object()
    assert mainspring.wrap(thing) is thing and "does not know" in caplog.text


def test_the_gateway_is_told_session_and_user_and_nobody_else_is(client, sink, server):
    names = ("x-mainspring-session", "x-mainspring-user")

    def told(asking):
        asking.chat.completions.create(model="gpt", messages=ASKED)
        return [server.asked[-1][1].get(name) for name in names]

    with mainspring.session("s-1"), mainspring.user("ann"):
        assert told(client) == ["s-1", "ann"]
        elsewhere = openai.OpenAI(api_key="k", base_url=server.url.replace("127.0.0.1", "localhost") + "/v1")
        assert told(mainspring.wrap(elsewhere)) == [None, None]
    with mainspring.session("zwölf\n"), mainspring.user("ann\r\nX-Evil: 1"):
        assert told(client) == [None, None], "what no header can hold is left out"
    with mainspring.session(" s "), mainspring.user(" "):
        assert told(client) == [None, None]
    assert mainspring.init(server.url, "key", interval=0.05, redact=lambda value: value)
    with mainspring.user("ann"):
        assert told(client) == [None, None]

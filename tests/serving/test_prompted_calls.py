"""A bare model asked through a prompt version, rendered by the gateway and named in the trace; the playground too."""

import httpx
import pytest

from mainspring.kernel.spans import SpanFilter
from mainspring.prompts import Prompts
from mainspring.traces import Prices

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def prompt(platform):
    messages = [{"role": "system", "content": "Be {{tone}}."}, {"role": "user", "content": "{{input}}"}]
    return Prompts(platform).commit("ask", messages, tools=[TOOL], parameters={"max_tokens": 9, "top_p": 0.5}).ref


@pytest.fixture
def post(gateway_url, small_model):
    def send(source="", **body):
        headers = {"Authorization": "Bearer ann", **({"x-mainspring-source": source} if source else {})}
        return httpx.post(f"{gateway_url}/v1/chat/completions", json={"model": small_model, **body}, headers=headers)

    return send


def test_the_prompt_is_rendered_and_named_in_the_trace(platform, upstream, post, prompt):
    asked = [{"role": "user", "content": "Why?"}]
    reply = post(prompt="prompt/ask", variables={"tone": "kind"}, messages=asked, max_tokens=5)
    assert reply.status_code == 200, reply.text
    sent = upstream.bodies[-1]
    assert [message["content"] for message in sent["messages"]] == ["Be kind.", "Why?"]
    assert (sent["max_tokens"], sent["top_p"], sent["tools"]) == (5, 0.5, [TOOL])
    platform.spans.flush()
    (span,) = platform.spans.scan("default", SpanFilter(prompt=prompt), limit=9)
    assert (span.trace_id, span.service) == (reply.headers["x-mainspring-trace-id"], "mainspring")
    assert span.input == [{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}]


def test_variables_alone_will_do_and_the_trace_shows_what_was_sent(platform, upstream, post, prompt):
    reply = post(prompt=prompt, variables={"tone": "dry", "input": "Why?"}, source="playground")
    assert reply.status_code == 200, reply.text
    platform.spans.flush()
    (span,) = platform.spans.scan("default", SpanFilter(service="playground"), limit=9)
    assert [message["parts"][0]["content"] for message in span.input] == ["Be dry.", "Why?"]
    assert [one.calls for one in Prompts(platform).metrics("ask").items] == [0]


def test_the_playground_is_told_the_cost_as_it_streams(platform, post, small_model):
    Prices(platform).set(small_model, input_per_million=1e6, output_per_million=2e6)
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True, "stream_options": {"include_usage": True}}
    told, silent = post(source="playground", **body).text, post(**body).text
    assert '"cost":13.0' in told
    assert '"cost"' not in silent


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"prompt": "prompt/none", "variables": {}}, 404, "no prompt/none"),
        ({"prompt": "dataset/ask"}, 400, "where a prompt is asked for"),
        ({"prompt": "prompt/ask", "variables": {"tone": "x"}}, 400, "last message must be the user"),
        ({"prompt": "prompt/ask", "variables": {"tone": 3, "input": "x"}}, 400, "'tone' takes text"),
        ({"messages": []}, 400, "messages"),
    ],
)
def test_what_is_wrong_is_said(post, prompt, body, status, message):
    reply = post(**body)
    assert (reply.status_code, message in reply.json()["error"]["message"]) == (status, True), reply.text

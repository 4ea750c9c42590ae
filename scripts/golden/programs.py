"""Programs that real instrumentation packages watch: `python programs.py NAME URL`, in an environment that has them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

ASKED = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "How is the weather in Bern?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tell it.", "parameters": PARAMETERS}}]


def calls(url: str, client: Any = None) -> None:
    """Call a model in every way: plain, with a tool, streamed, failing, embeddings, responses."""
    from openai import OpenAI, OpenAIError

    client = client or OpenAI(api_key="k", base_url=url + "/v1", max_retries=0)
    client.chat.completions.create(model="gpt-canned", messages=ASKED, temperature=0.5, max_tokens=50)
    client.chat.completions.create(model="gpt-canned", messages=ASKED, tools=TOOLS)
    usage = {"include_usage": True}
    for _ in client.chat.completions.create(model="gpt-canned", messages=ASKED, stream=True, stream_options=usage):
        pass
    with contextlib.suppress(OpenAIError):
        client.chat.completions.create(model="broken", messages=ASKED)
    client.embeddings.create(model="embed-canned", input=["weather"])
    client.responses.create(model="gpt-canned", input="How is the weather in Bern?", instructions="Be short.")


def messages(url: str) -> None:
    """Call Anthropic's dialect."""
    from anthropic import Anthropic

    client = Anthropic(api_key="k", base_url=url, max_retries=0)
    how: dict[str, Any] = {"model": "claude-canned", "max_tokens": 50, "system": "Be short.", "messages": ASKED[1:]}
    client.messages.create(**how)
    client.messages.create(**how, tools=[{"name": "weather", "description": "Tell it.", "input_schema": PARAMETERS}])


def provider(url: str) -> Any:
    """Set up a plain tracer provider that sends to the server."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    made = TracerProvider(resource=Resource({"service.name": "golden"}))
    made.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(url + "/v1/traces")))
    trace.set_tracer_provider(made)
    return made


def openinference(url: str) -> None:
    """OpenInference's instrumentations of openai and anthropic."""
    made = provider(url)
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=made)
    AnthropicInstrumentor().instrument(tracer_provider=made)
    with using_attributes(session_id="session-1", user_id="user-1", tags=["golden"], metadata={"plan": "free"}):
        calls(url)
        messages(url)


def gen_ai(url: str) -> None:
    """OpenTelemetry's own instrumentation of openai, with the newest conventions."""
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_only"
    made = provider(url)
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=made)
    calls(url)


def gen_ai_before(url: str) -> None:
    """OpenTelemetry's own instrumentation of openai, with the conventions before: messages are events of logs."""
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
    made = provider(url)
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    from opentelemetry.sdk._events import EventLoggerProvider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(url + "/v1/logs")))
    OpenAIInstrumentor().instrument(tracer_provider=made, event_logger_provider=EventLoggerProvider(logs))
    calls(url)


def openllmetry(url: str) -> None:
    """OpenLLMetry's instrumentations of openai and anthropic."""
    made = provider(url)
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=made)
    AnthropicInstrumentor().instrument(tracer_provider=made)
    calls(url)
    messages(url)


def traceloop(url: str) -> None:
    """Traceloop's SDK: workflows, tasks and tools around calls."""
    os.environ["TRACELOOP_TELEMETRY"] = "false"
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import tool, workflow

    Traceloop.init(app_name="golden", api_endpoint=url, disable_batch=True)

    @tool(name="weather")
    def weather(city: str) -> str:
        return f"fine in {city}"

    @workflow(name="report")
    def report(city: str) -> str:
        Traceloop.set_association_properties({"session_id": "session-1", "user_id": "user-1"})
        weather(city)
        calls(url)
        return "done"

    report("Bern")


def langfuse(url: str) -> None:
    """Langfuse's decorators, its observations by hand, and its client of openai."""
    from langfuse import Langfuse, observe, propagate_attributes

    who: dict[str, Any] = {"session_id": "session-1", "user_id": "user-1", "tags": ["golden"]}
    client = Langfuse(public_key="pk", secret_key="sk", host=url, flush_at=100, release="r-7", environment="staging")
    from langfuse.openai import OpenAI

    @observe(name="report", as_type="agent")
    def report(city: str) -> str:
        with propagate_attributes(**who, trace_name="forecast", metadata={"plan": "free", "seats": "3"}):
            calls(url, OpenAI(api_key="k", base_url=url + "/v1", max_retries=0))
            observations(client)
        return "done"

    report("Bern")
    client.flush()


def langfuse_3(url: str) -> None:
    """The same with the third version, which says more on the root of a trace."""
    from langfuse import Langfuse, observe

    client = Langfuse(public_key="pk", secret_key="sk", host=url, flush_at=100, release="r-7", environment="staging")
    from langfuse.openai import OpenAI

    @observe(name="report", as_type="agent")
    def report(city: str) -> str:
        who: dict[str, Any] = {"session_id": "session-1", "user_id": "user-1", "tags": ["golden"]}
        client.update_current_trace(name="forecast", metadata={"plan": "free", "seats": 3}, input={"city": city}, **who)
        calls(url, OpenAI(api_key="k", base_url=url + "/v1", max_retries=0))
        observations(client)
        client.update_current_trace(output="done", public=True)
        return "done"

    report("Bern")
    client.flush()


def observations(client: Any) -> None:
    """Every kind of observation that an application writes by hand with Langfuse."""
    from datetime import UTC, datetime

    with client.start_as_current_observation(name="look-up", as_type="retriever", input="Bern") as found:
        found.update(output=["doc-1", "doc-2"], metadata={"index": "geo", "hits": 2, "cached": True, "by": {"k": 5}})
    with client.start_as_current_observation(name="weather", as_type="tool", input={"city": "Bern"}) as tool:
        tool.update(output={"sky": "clear"}, level="WARNING", status_message="old data")
    client.create_event(name="shown", input={"to": "user-1"}, metadata={"place": "chat"})
    how: dict[str, Any] = {"model": "hand-1", "model_parameters": {"temperature": 0.2}, "input": ASKED}
    with client.start_as_current_observation(name="write", as_type="generation", version="v2", **how) as written:
        written.update(completion_start_time=datetime.now(UTC), output={"role": "assistant", "content": "Clear sky."})
        used = {"input": 12, "input_cached_tokens": 4, "output": 6, "output_reasoning_tokens": 2, "total": 24}
        written.update(usage_details=used, cost_details={"input": 0.001, "output": 0.002})
    # The failure is what is to be recorded.
    with contextlib.suppress(RuntimeError), client.start_as_current_observation(name="send", as_type="span") as sent:
        sent.update(input={"to": "user-1"})
        raise RuntimeError("the mail bounced")
    with client.start_as_current_observation(name="check", as_type="guardrail") as check:
        check.update(level="ERROR", status_message="it is not polite", output={"passed": False})


def mlflow(url: str) -> None:
    """MLflow's tracing and its instrumentation of openai."""
    os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = url + "/v1/traces"
    os.environ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf"
    os.environ["OTEL_SERVICE_NAME"] = "golden"
    import mlflow as tracing

    tracing.openai.autolog()

    @tracing.trace(name="report", span_type="AGENT")
    def report(city: str) -> str:
        tracing.update_current_trace(session_id="session-1", user="user-1")
        calls(url)
        return "done"

    report("Bern")
    tracing.flush_trace_async_logging()


def logfire(url: str) -> None:
    """Logfire's spans and its instrumentation of openai."""
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
    import logfire as fire

    fire.configure(send_to_logfire=False, console=False, service_name="golden", inspect_arguments=False)
    from openai import OpenAI

    client = OpenAI(api_key="k", base_url=url + "/v1", max_retries=0)
    fire.instrument_openai(client)
    with fire.span("report for {city}", city="Bern"):
        calls(url, client)
    fire.force_flush()


PROGRAMS: dict[str, Callable[[str], None]] = {
    program.__name__: program
    for program in (openinference, gen_ai, gen_ai_before, openllmetry, traceloop, langfuse, langfuse_3, mlflow, logfire)
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](sys.argv[2])

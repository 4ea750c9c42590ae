"""Which attribute says what, by preference: OpenTelemetry GenAI first, then OpenInference, then what came before."""

from __future__ import annotations

KIND = ("gen_ai.operation.name",)
KIND_WORDS: dict[str, dict[str, str]] = {
    "openinference.span.kind": {
        "LLM": "chat",
        "EMBEDDING": "embeddings",
        "CHAIN": "chain",
        "RETRIEVER": "retrieval",
        "RERANKER": "rerank",
        "TOOL": "execute_tool",
        "AGENT": "invoke_agent",
        "GUARDRAIL": "guardrail",
        "EVALUATOR": "evaluation",
        "PROMPT": "prompt",
    },
    "traceloop.span.kind": {"workflow": "chain", "task": "chain", "agent": "invoke_agent", "tool": "execute_tool"},
    "llm.request.type": {
        "chat": "chat",
        "completion": "text_completion",
        "embedding": "embeddings",
        "rerank": "rerank",
    },
    "mlflow.spanType": {
        "CHAT_MODEL": "chat",
        "LLM": "chat",
        "EMBEDDING": "embeddings",
        "RETRIEVER": "retrieval",
        "RERANKER": "rerank",
        "TOOL": "execute_tool",
        "AGENT": "invoke_agent",
        "CHAIN": "chain",
    },
    "langfuse.observation.type": {
        "generation": "chat",
        "embedding": "embeddings",
        "retriever": "retrieval",
        "tool": "execute_tool",
        "agent": "invoke_agent",
        "chain": "chain",
        "guardrail": "guardrail",
        "evaluator": "evaluation",
    },
    "ai.operationId": {
        "ai.generateText": "chain",
        "ai.streamText": "chain",
        "ai.generateObject": "chain",
        "ai.streamObject": "chain",
        "ai.generateText.doGenerate": "chat",
        "ai.streamText.doStream": "chat",
        "ai.generateObject.doGenerate": "chat",
        "ai.streamObject.doStream": "chat",
        "ai.embed": "chain",
        "ai.embedMany": "chain",
        "ai.embed.doEmbed": "embeddings",
        "ai.embedMany.doEmbed": "embeddings",
        "ai.toolCall": "execute_tool",
    },
}
"""For each attribute that names a kind of span in words of its own, what those mean here."""

TEXTS: dict[str, tuple[str, ...]] = {
    "model": (
        "gen_ai.response.model",
        "gen_ai.request.model",
        "llm.model_name",
        "embedding.model_name",
        "ai.response.model",
        "ai.model.id",
        "langfuse.observation.model.name",
        "llm.request.model",
        "mlflow.llm.model",
    ),
    "provider": (
        "gen_ai.provider.name",
        "gen_ai.system",
        "llm.provider",
        "llm.system",
        "ai.model.provider",
        "mlflow.llm.provider",
    ),
    "session_id": (
        "gen_ai.conversation.id",
        "session.id",
        "langfuse.session.id",
        "traceloop.association.properties.session_id",
        "mlflow.trace.session",
        "ai.telemetry.metadata.sessionId",
    ),
    "user_id": (
        "user.id",
        "enduser.id",
        "langfuse.user.id",
        "traceloop.association.properties.user_id",
        "mlflow.trace.user",
        "ai.telemetry.metadata.userId",
    ),
    "deployment": ("mainspring.deployment",),
    "release": ("mainspring.release",),
    "prompt": ("mainspring.prompt",),
}
COUNTS: dict[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "cached_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
    ),
}
ALIKE: dict[str, tuple[str, ...]] = {
    "gen_ai.usage.reasoning.output_tokens": (
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "llm.usage.reasoning_tokens",
        "ai.usage.reasoningTokens",
    ),
    "gen_ai.usage.cache_creation.input_tokens": (
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "gen_ai.tool.definitions": ("ai.prompt.tools", "mlflow.chat.tools", "llm.request.functions"),
}
"""Attributes that stay attributes, under one name."""
TOOL_LISTS = ("llm.tools",)
USAGE = ("langfuse.observation.usage_details", "mlflow.chat.tokenUsage", "gen_ai.usage.raw")
"""Attributes that hold all counts as one JSON object."""
COSTS = ("langfuse.observation.cost_details",)
COST = ("llm.cost.total", "gen_ai.usage.cost")
FIRST_MOMENTS = ("langfuse.observation.completion_start_time",)
LEVELS = ("langfuse.observation.level",)
"""Attributes that say `ERROR` of what failed; some clients leave the span's own status unset."""
MESSAGES_OF_STATUS = ("langfuse.observation.status_message",)
METADATA = ("langfuse.observation.metadata", "langfuse.trace.metadata")
"""Attributes, and what they are the prefix of, whose values are JSON."""
VECTORS = ("ai.embedding", "ai.embeddings")
"""Attributes that are not kept."""
MIMES = ("input.mime_type", "output.mime_type")
"""Attributes that are not kept either: what they say is seen in what was said."""
PROVIDER_PARTS = (".chat", ".responses", ".completion", ".embedding", ".messages", ".image")
"""What the AI SDK of Vercel appends to a provider's name."""
FIRST_SECONDS = ("gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk")
FIRST_MILLISECONDS = ("ai.response.msToFirstChunk",)

INSTRUCTIONS = ("gen_ai.system_instructions",)
INPUT_LISTS = ("llm.input_messages", "gen_ai.prompt")
"""Attributes that are flattened into zero-based lists: `llm.input_messages.0.message.content`."""
OUTPUT_LISTS = ("llm.output_messages", "gen_ai.completion")
DOCUMENT_LISTS = ("retrieval.documents", "reranker.output_documents")
EMBEDDED_LISTS = ("embedding.embeddings",)
INPUTS = (
    "gen_ai.input.messages",
    "gen_ai.prompt",
    "gen_ai.tool.call.arguments",
    "gen_ai.retrieval.query.text",
    "ai.prompt.messages",
    "ai.prompt",
    "ai.toolCall.args",
    "ai.values",
    "ai.value",
    "input.value",
    "traceloop.entity.input",
    "mlflow.spanInputs",
    "langfuse.observation.input",
    "langfuse.trace.input",
)
OUTPUTS = (
    "gen_ai.output.messages",
    "gen_ai.completion",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.documents",
    "ai.response.text",
    "ai.response.object",
    "ai.response.toolCalls",
    "ai.toolCall.result",
    "output.value",
    "traceloop.entity.output",
    "mlflow.spanOutputs",
    "langfuse.observation.output",
    "langfuse.trace.output",
)
EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
"""Events that carry one message each, as conventions before 1.37 had it."""
EVENT_INPUTS = {"gen_ai.content.prompt": "gen_ai.prompt"}
EVENT_OUTPUTS = {"gen_ai.content.completion": "gen_ai.completion"}
EVENT_CHOICE = "gen_ai.choice"
EVENT_DETAILS = "gen_ai.client.inference.operation.details"
"""The event that carries the messages in place of the span's attributes."""
MODEL_CALLS = ("chat", "text_completion", "generate_content")

"""Preparing: the request to the engine, guarded, with the release's prompt and parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON, EngineSpec
from mainspring.prompts import PromptVersion, frame
from mainspring.serving import parts
from mainspring.serving.canarying import planted, watches_prompt
from mainspring.serving.exchange import Exchange
from mainspring.serving.guarding import (
    guard_filled,
    guard_input,
    guard_options,
    guard_together,
    guard_values,
    judged,
)
from mainspring.serving.models import Message, Target


def size_of(exchange: Exchange) -> int:
    """Return how many characters a guard has to read, or 0 where there is none."""
    target, question = exchange.target, exchange.question
    if target.policy is None:
        return 0
    prompt = len(_source(target.template)) if target.template is not None else 0
    asked = sum(len(str(part)) for part in (question.messages, question.options, question.variables))
    return judged(target.policy, prompt + asked)


def prepare(exchange: Exchange) -> dict[str, JSON]:
    """Return the body for the engine: guarded, with the release's prompt and parameters."""
    target, question = exchange.target, exchange.question
    messages: list[Message] = list(question.messages)
    options: dict[str, JSON] = dict(question.options)
    variables = question.variables
    if target.policy is not None:
        messages = guard_input(target.policy, messages, exchange.findings)
        # At once, so that whatever fails from here on is recorded with the masked ones.
        exchange.messages = messages
        options = guard_options(target.policy, options, exchange.findings)
        variables = guard_values(target.policy, variables, exchange.findings)
    exchange.sent = options = options if question.operation == "embeddings" else _pinned(target, options)
    if isinstance(target.spec, EngineSpec):
        messages, options = parts.text_only(messages), parts.local(options)
    body = {name: value for name, value in options.items() if name != "constrained"}
    if isinstance(target.spec, EngineSpec) and target.spec.embeds and question.operation != "embeddings":
        raise Invalid("This model makes embeddings, and no answers.", hint="Use /v1/embeddings.", param="model")
    if question.operation != "chat" and target.template is not None:
        raise Invalid(f"{target.release} has a prompt for chats.", hint="Use /v1/chat/completions.")
    if question.operation == "embeddings":
        return {**body, "input": [message["content"] for message in messages]}
    if question.operation == "text_completion":
        return {**body, "prompt": messages[0]["content"]}
    if target.template is None:
        return {**body, "messages": _planted(exchange, messages)}
    asked = parts.text_of(messages[-1]) if messages else ""
    before, last = frame(target.template, [str(message["role"]) for message in messages], asked, variables)
    filled = [*before] if last is None else [*before, last]
    if target.policy is not None:
        guard_together(target.policy, [variables] if last is None else [variables, asked], exchange.findings)
        source = _source(target.template)
        texts = [guard_filled(target.policy, message.content, source, exchange.findings) for message in filled]
        filled = [message.model_copy(update={"content": text}) for message, text in zip(filled, texts, strict=True)]
    framed: list[Message] = [message.model_dump() for message in filled]
    if last is not None:
        framed[-1] = parts.with_images(framed[-1], messages[-1])
    if not messages:
        exchange.messages = framed
    if last is None:
        return {**body, "messages": _planted(exchange, [*framed, *messages])}
    return {**body, "messages": _planted(exchange, [*framed[:-1], *messages[:-1], framed[-1]])}


def _planted(exchange: Exchange, messages: list[Message]) -> list[Message]:
    """Return the messages for the engine, with a canary where the guard says so, which it will know in the answer."""
    policy = exchange.target.policy
    if policy is None or not watches_prompt(policy):
        return messages
    policy, messages = planted(policy, messages)
    exchange.target = replace(exchange.target, policy=policy)
    return messages


def _source(prompt: PromptVersion) -> str:
    """Return all that the author of a prompt wrote: its messages, what they include, and the variables' defaults."""
    texts = [message.content for message in prompt.messages] + [held.text for held in prompt.includes.values()]
    defaults = [variable.default for variable in prompt.variables.values() if variable.default is not None]
    texts += [given if isinstance(given, str) else json.dumps(given, ensure_ascii=False) for given in defaults]
    return "\n".join(texts)


def _pinned(target: Target, options: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the options with the release's own put over them; of two token limits the smaller holds."""
    merged = {**options, **target.parameters}
    if "max_tokens" in options and "max_tokens" in target.parameters:
        merged["max_tokens"] = min(int(options["max_tokens"]), int(target.parameters["max_tokens"]))
    if merged.get("constrained") and target.template is not None and target.template.response_schema:
        schema = {"name": "answer", "schema": target.template.response_schema}
        merged["response_format"] = {"type": "json_schema", "json_schema": schema}
    return merged

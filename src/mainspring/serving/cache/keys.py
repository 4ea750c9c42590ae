"""Keys: which calls may share an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from mainspring.kernel.ports import JSON
from mainspring.serving.cache.models import CachePolicy
from mainspring.serving.exchange import Exchange
from mainspring.serving.models import LOADTEST, PLAYGROUND, SHADOW
from mainspring.serving.parts import text_of

_VERSION = 1
"""Of what a key is made of: another makes all kept answers unfindable."""
_TRIED = (PLAYGROUND, SHADOW, LOADTEST)
_encode = msgspec.json.Encoder(order="deterministic").encode


def may_share(exchange: Exchange, body: Mapping[str, JSON], policy: CachePolicy) -> bool:
    """Tell whether a call may be answered from the cache, and its answer be kept."""
    question = exchange.question
    if question.operation == "embeddings" or question.origin.service in _TRIED:
        return False
    if exchange.findings.action not in ("allow", "log"):
        # What was masked may have been different things that look the same now.
        return False
    guard = exchange.target.policy
    if guard is not None and any(rule.plant for rule in guard.rules):
        # A token of its own stands in what each call asks.
        return False
    if body.get("tools") and not policy.tools:
        return False
    return policy.sampled or body.get("temperature") == 0


def key_of(exchange: Exchange, body: Mapping[str, JSON], policy: CachePolicy) -> str:
    """Return what only the same call has: everything that the model is asked, who may have it, and under what guard."""
    return _hashed({**_whose(exchange, policy), "body": body})


def space_of(exchange: Exchange, policy: CachePolicy) -> str:
    """Return what calls share that differ in their last message alone; empty where that is no text of a user."""
    messages = exchange.messages
    question = exchange.question
    last = messages[-1] if messages else {}
    if question.operation != "chat" or last.get("role") != "user" or not isinstance(last.get("content"), str):
        return ""
    rest = {"messages": list(messages[:-1]), "sent": exchange.sent, "variables": question.variables}
    return _hashed({**_whose(exchange, policy), **rest})


def asked(exchange: Exchange) -> str:
    """Return the text of the last message."""
    return text_of(exchange.messages[-1])


def _whose(exchange: Exchange, policy: CachePolicy) -> dict[str, Any]:
    target, origin = exchange.target, exchange.question.origin
    return {
        "version": _VERSION,
        "project": target.project,
        "environment": target.environment,
        "name": policy.name,
        "key": origin.key_id if policy.scope == "key" else "",
        "release": target.release,
        "model": target.model,
        "source": target.source,
        "prompt": target.prompt,
        "guard": target.guard,
        "operation": exchange.question.operation,
    }


def _hashed(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(_encode(parts)).hexdigest()

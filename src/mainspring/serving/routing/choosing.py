"""Choosing: in which order a call asks the candidates of a route, and which of them cannot take it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from mainspring.kernel.ports import EngineSpec
from mainspring.registry import Remote
from mainspring.serving.cache.models import HEADER
from mainspring.serving.models import Operation, Question, Target
from mainspring.serving.parts import text_of
from mainspring.serving.routing.board import Board
from mainspring.serving.routing.models import Ability, Candidate, Route
from mainspring.serving.routing.plans import Option

_BYTES = 4
"""Bytes of text for one token, about."""
_IMAGE = 1000
"""Tokens of an image, about."""
_MADE = 512
"""Tokens of an answer where the call does not say how many."""
TAGS = "x-mainspring-tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What of a call decides where it goes."""

    tokens: int = 0
    """Of the question, about."""
    made: int = _MADE
    """Of the answer at most."""
    needs: frozenset[Ability] = frozenset()
    operation: Operation = "chat"
    user: str = ""
    session: str = ""
    key: str = ""
    member: str = ""
    request: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passed:
    """A candidate that does not take the call, and why."""

    choice: Option
    why: str


@dataclass(frozen=True, slots=True)
class Order:
    """The candidates that a call asks, first to last."""

    rule: int
    """The rule that it met, from 1; 0 for none."""
    unit: str
    """What it stays by, or empty."""
    asked: list[Option]
    passed: list[Passed]


def described(question: Question) -> Call:
    """Return what of a question decides where it goes."""
    options, origin = question.options, question.origin
    images = sum(_images(message.get("content")) for message in question.messages)
    size = sum(len(text_of(message).encode("utf-8", "replace")) for message in question.messages)
    size += sum(len(msgspec.json.encode(options[name])) for name in ("tools", "response_format") if name in options)
    size += sum(len(str(value)) for value in question.variables.values())
    asks: Mapping[Ability, bool] = {
        "tools": bool(options.get("tools")),
        "images": bool(images),
        "schema": (options.get("response_format") or {}).get("type") == "json_schema",
    }
    return Call(
        tokens=-(-size // _BYTES) + _IMAGE * images,
        made=int(options.get("max_tokens") or _MADE),
        needs=frozenset(name for name, asked in asks.items() if asked),
        operation=question.operation,
        user=origin.user_id,
        session=origin.session_id,
        key=origin.key_id,
        member=origin.member,
        request=origin.trace_id,
        headers=question.headers,
        metadata=origin.metadata,
    )


def ordered(route: Route, options: Sequence[Option], call: Call, board: Board) -> Order:
    """Return in which order a call asks the candidates. The same call gets the same, while the servers' state is."""
    number, names = _ruled(route, call)
    by_name = {choice.candidate.target: choice for choice in options}
    mine = [by_name[name] for name in names]
    passed: list[Passed] = []
    able: list[Option] = []
    for choice in mine:
        why = choice.problem or _unable(choice, call)
        passed.append(Passed(choice, why)) if why else able.append(choice)
    unit = str(getattr(call, route.sticky)) if route.sticky else ""
    first = [choice for choice in able if choice.candidate.weight]
    spare = [choice for choice in able if not choice.candidate.weight]
    seed = f"{route.environment}/{route.name}/{unit or call.request}"
    made = [*(_spread(first, seed) if unit else _by_policy(route, first, seed, call, board)), *spare]
    made.sort(key=lambda choice: choice.candidate.target != route.pin)
    return Order(number, unit, made, passed)


def context_of(choice: Option) -> int:
    """Return the tokens that a candidate takes in all; 0 where nobody says."""
    spec = choice.target.spec if choice.target is not None else None
    held = spec.context if isinstance(spec, EngineSpec) else 0
    said = choice.candidate.context
    return min(said, held) if said and held else said or held


def cost_of(target: Target, call: Call) -> float | None:
    """Return the US dollars that a call may cost there; None where there is no price. A local model costs nothing."""
    if target.price is None:
        return 0.0 if isinstance(target.spec, EngineSpec) else None
    return target.price.most(call.tokens, call.made, 0) / 1e9


def _ruled(route: Route, call: Call) -> tuple[int, list[str]]:
    """Return the number of the first rule that a call meets, and the candidates that it has."""
    tags = [tag.strip() for tag in call.headers.get(TAGS, "").split(",")]
    said: dict[str, str] = {"user": call.user, "session": call.session, "key": call.key, "member": call.member}
    for number, rule in enumerate(route.rules, 1):
        for condition in rule.when:
            if condition.of == "tag":
                met = any(condition.holds(tag) for tag in tags if tag)
            elif condition.of == "header":
                met = condition.holds(call.headers.get(condition.name.lower()))
            elif condition.of == "metadata":
                met = condition.holds(call.metadata.get(condition.name))
            else:
                met = condition.holds(said[condition.of] or None)
            if not met:
                break
        else:
            return number, list(dict.fromkeys(rule.candidates))
    return 0, [candidate.target for candidate in route.candidates]


def _unable(choice: Option, call: Call) -> str:
    """Say why a candidate cannot take a call; empty where it can."""
    spec = choice.target.spec if choice.target is not None else None
    lacks = set(choice.candidate.lacks) | ({"images"} if isinstance(spec, EngineSpec) else set())
    if missing := sorted(lacks & call.needs):
        return f"it lacks {', '.join(missing)}"
    embeds = spec.embeds if isinstance(spec, EngineSpec) else isinstance(spec, Remote) and spec.kind == "openai"
    if call.operation == "embeddings" and not embeds:
        return "it makes no embeddings"
    if call.operation != "embeddings" and isinstance(spec, EngineSpec) and spec.embeds:
        return "it makes embeddings alone"
    keeps = choice.target is not None and choice.target.cache is not None
    if not keeps and call.headers.get(HEADER, "").strip().lower() == "only":
        return "none of its answers are kept"
    context = context_of(choice)
    if context and call.tokens > context:
        return f"its context of {context} tokens is short of about {call.tokens}"
    return ""


def _by_policy(route: Route, options: list[Option], seed: str, call: Call, board: Board) -> list[Option]:
    if route.policy == "ordered":
        return options
    spread = _spread(options, seed)
    if route.policy == "weighted":
        return spread
    if route.policy == "cheapest":
        return sorted(options, key=lambda choice: _dear(choice, call))
    ranks = {id(choice): _standing(choice, route, board) for choice in spread}
    return sorted(spread, key=lambda choice: ranks[id(choice)])


def _dear(choice: Option, call: Call) -> float:
    cost = cost_of(choice.target, call) if choice.target is not None else None
    return math.inf if cost is None else cost


def _standing(choice: Option, route: Route, board: Board) -> float:
    """Return how busy or how slow a candidate is; one of which nothing is known is tried first."""
    if choice.target is None:
        return math.inf
    upstream = board.upstream(choice.target)
    if route.policy == "least-busy":
        return upstream.running / choice.candidate.weight
    return upstream.pace(board.now()) or 0.0


def _spread(options: Sequence[Option], seed: str) -> list[Option]:
    """Return candidates in the order of weighted rendezvous hashing.

    Each comes first in its share of the seeds, and one more takes its share from all others and moves nothing else
    (Schindelhauer and Schomaker 2005).
    """
    return sorted(options, key=lambda choice: _draw(choice.candidate, seed))


def _draw(candidate: Candidate, seed: str) -> float:
    digest = hashlib.blake2b(f"{candidate.target}/{seed}".encode("utf-8", "replace"), digest_size=8).digest()
    place = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
    return -math.log(place) / candidate.weight if candidate.weight else math.inf


def _images(content: object) -> int:
    return sum(part["type"] != "text" for part in content) if isinstance(content, list) else 0

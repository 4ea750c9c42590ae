"""Aim: the target of attacks made exact, and what is known of its system prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mainspring.evals import plan as plans
from mainspring.evals import remote
from mainspring.evals.redteam.packs import World
from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON, Chat
from mainspring.kernel.tx import Tx
from mainspring.prompts import PromptVersion
from mainspring.prompts import load as load_prompt
from mainspring.traces import book


@dataclass(frozen=True, slots=True)
class Aim:
    """A target's exact inputs."""

    target: str
    model: str
    """Exact reference; empty for a deployment and a URL."""
    prompt: str
    """Exact reference of the prompt that is known to stand before the conversation; empty for none."""
    world: World
    inputs: list[str] = field(default_factory=list)
    """Exact references for the lineage."""


def take(tx: Tx, target: str, prompt: str, max_tokens: int | None) -> Aim:
    """Pin a target; `prompt` names the prompt behind a deployment or a URL. Raises Invalid, NotFound."""
    pinned, model, inner, _ = plans.answerer(tx, target, "")
    deployed = pinned.startswith("deployment/")
    if prompt and not (deployed or remote.is_url(pinned)):
        raise Invalid("Only behind a deployment or a URL a prompt is not known.", hint="Leave --prompt out.")
    known = load_prompt(tx, prompt) if prompt else inner
    world = World(brings_system=deployed or known is not None, prompt=_system(known), max_tokens=max_tokens)
    inputs = [ref for ref in (pinned if pinned.startswith("release/") else model, known.ref if known else "") if ref]
    return Aim(pinned, model, known.ref if known else "", world, inputs)


def _system(prompt: PromptVersion | None) -> str:
    held = prompt.messages if prompt is not None else []
    return "\n".join(message.content for message in held if message.role in ("system", "developer"))


def chat(platform: Platform, tx: Tx, aim: Aim) -> Chat:
    """Return what answers for a target."""
    if not remote.is_url(aim.target):
        return platform.chat
    server = remote.find(aim.target, platform.settings)
    return remote.RemoteChat(replace(server, price=book(tx).price(server.model, tx.now)))


def system_of(messages: list[dict[str, JSON]], aim: Aim) -> str:
    """Return the system prompt that an attack met, as far as it is known."""
    said = [str(one["content"]) for one in messages if one.get("role") == "system"]
    return "\n".join(said) or aim.world.prompt


def offering(tools: list[dict[str, JSON]]) -> Mapping[str, JSON]:
    """Return what goes with a request that offers tools."""
    return {"tools": tools} if tools else {}

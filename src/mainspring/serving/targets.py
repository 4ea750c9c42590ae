"""Targets: from what a client writes in `model` to exact versions, and who may use them.

`name` or `deployment/name`: a deployment in the caller's environment; `release/name@2`; `model/name@3`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from mainspring import prompts
from mainspring.kernel import access, versions
from mainspring.kernel.errors import Conflict, Invalid, MainspringError, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON
from mainspring.kernel.refs import parse
from mainspring.kernel.tx import Tx
from mainspring.registry import catalog, releases
from mainspring.registry.models import Release
from mainspring.safety.service import load as load_policy
from mainspring.serving import deployments
from mainspring.serving.deployments import Subject
from mainspring.serving.models import Target

_NOBODY = Subject()
_ENDED = ("rejected", "withdrawn")
_REMEMBERED = 1000
_known: WeakKeyDictionary[Platform, dict[tuple[str, str], Target]] = WeakKeyDictionary()


def resolve(tx: Tx, text: str, environment: str, *, subject: Subject = _NOBODY) -> Target:
    """Return where a call goes; `subject` chooses between a deployment's two releases, the same always for the same.

    Raises Invalid, NotFound, Denied, or Conflict for a deployment that is paused and a release that was withdrawn.
    """
    ref = parse(text, None if "/" in text else "deployment")
    if ref.kind not in ("deployment", "release", "model"):
        raise Invalid(f"'{text}' is a {ref.kind}.", hint="Ask a deployment, release/… or model/….", param="model")
    access.require(tx.caller, f"{ref.kind}.use")
    if ref.kind == "model":
        return _bare(tx, str(ref), environment)
    if ref.kind == "release":
        return _released(tx, str(ref), environment, {})
    move = deployments.find(tx, environment, ref.name)
    if move is None or ref.selector:
        raise NotFound(
            f"There is no deployment {text} in {environment}.",
            hint="GET /v1/models lists what there is.",
            param="model",
        )
    if move.state == "paused":
        raise Conflict(f"The deployment {ref.name} is paused.", hint=f"`mainspring deployment resume {ref.name}`.")
    arm = deployments.arm_of(move, subject.unit(move.split))
    chosen = move.canary if arm == "canary" else move.baseline
    target = _released(tx, chosen, environment, {"deployment": ref.name, "arm": arm})
    if deployments.is_shadowed(move, subject.request):
        with suppress(MainspringError):  # what ails a shadow is no caller's concern
            target = replace(target, shadow=_released(tx, move.shadow, environment, {}))
    return target


def with_prompt(tx: Tx, target: Target, ref: str, options: Mapping[str, JSON]) -> Target:
    """Return a bare model's target with a prompt in front; what `options` say wins over the prompt's parameters.

    Raises Invalid where a release brings its own prompt, Denied, NotFound.
    """
    if target.release:
        hint = "Leave the prompt out, or ask model/…."
        raise Invalid(f"{target.release} brings its own prompt.", hint=hint, param="prompt")
    access.require(tx.caller, "prompt.read")
    version = prompts.load(tx, ref)
    parameters = {name: value for name, value in _asked(version).items() if name not in options}
    return replace(target, prompt=version.ref, template=version, parameters=parameters)


def _bare(tx: Tx, ref: str, environment: str) -> Target:
    model = catalog.load(tx, ref)
    return Target(project=tx.project, environment=environment, spec=catalog.engine_spec(tx, model), model=model.ref)


def _released(tx: Tx, ref: str, environment: str, place: dict[str, Any]) -> Target:
    exact = versions.resolve(tx, ref, releases.KIND).ref
    state = releases.state_of(tx, exact)
    if state in _ENDED:
        raise Conflict(f"{exact} was {state}.", hint="Ask another release, or roll the deployment back.")
    return replace(_expanded(tx, exact), environment=environment, **place)


def _expanded(tx: Tx, ref: str) -> Target:
    """Return everything that an exact release pins; it never changes, so that it is looked up once."""
    remembered = _known.setdefault(tx.platform, {})
    target = remembered.get((tx.project, ref))
    if target is None:
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        target = remembered[(tx.project, ref)] = _expand(tx, releases.load(tx, ref))
    return target


def _expand(tx: Tx, release: Release) -> Target:
    prompt = prompts.load(tx, release.prompt) if release.prompt else None
    asked = _asked(prompt) if prompt else {}
    return Target(
        project=tx.project,
        environment="",
        spec=catalog.engine_spec(tx, release.model),
        model=release.model,
        release=release.ref,
        prompt=release.prompt,
        guard=release.guard,
        policy=load_policy(tx, release.guard) if release.guard else None,
        parameters={**asked, **release.parameters.model_dump(exclude_none=True)},
        template=prompt,
    )


def _asked(prompt: prompts.PromptVersion) -> dict[str, Any]:
    """Return a prompt's parameters and tools by their OpenAI names."""
    asked = {name: value for name, value in prompt.parameters.model_dump().items() if value not in (None, [])}
    return {**asked, "tools": prompt.tools_sent()} if prompt.tools else asked

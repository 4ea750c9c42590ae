"""Targets: from what a client writes in `model` to exact versions, and who may use them.

`name` or `deployment/name`: a deployment in the caller's environment; `release/name@2`; `model/name@3`;
`NAME/MODEL`: what the provider NAME calls MODEL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from mainspring import prompts
from mainspring.kernel import access, versions
from mainspring.kernel.errors import Conflict, Invalid, MainspringError, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import JSON
from mainspring.kernel.refs import parse
from mainspring.kernel.tx import Tx
from mainspring.registry import catalog, providers, releases
from mainspring.registry.models import Release
from mainspring.registry.providers import Remote
from mainspring.safety.service import load as load_policy
from mainspring.serving import deployments
from mainspring.serving.deployments import Deployment, Subject
from mainspring.serving.models import Target
from mainspring.workspace import require_asked

_NOBODY = Subject()
_ENDED = ("rejected", "withdrawn")
_REMEMBERED = 1000
_known: WeakKeyDictionary[Platform, dict[tuple[str, str], Target]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Choice:
    """All that a name leads to, whomever a call is for: what of it has failed is raised only where it is chosen."""

    baseline: Target | MainspringError
    canary: Target | MainspringError | None = None
    shadow: Target | None = None
    move: Deployment | None = None

    def pick(self, subject: Subject = _NOBODY) -> Target:
        """Return where a call goes; the same always for the same subject. Raises what ails the release chosen."""
        move, chosen = self.move, self.baseline
        if move is not None and self.canary is not None:
            tried = deployments.arm_of(move, subject.unit(move.split)) == "canary"
            chosen = self.canary if tried else chosen
        if isinstance(chosen, MainspringError):
            raise chosen.with_traceback(None)  # it is kept, and must not keep who asked
        if move is not None and self.shadow is not None and deployments.is_shadowed(move, subject.request):
            return replace(chosen, shadow=self.shadow)
        return chosen

    def each(self, change: Callable[[Target], Target]) -> Choice:
        """Return the choice with every target changed."""
        baseline, canary, shadow = (
            change(target) if isinstance(target, Target) else target
            for target in (self.baseline, self.canary, self.shadow)
        )
        assert baseline is not None and not isinstance(shadow, MainspringError)
        return Choice(baseline, canary, shadow, self.move)


def resolve(tx: Tx, text: str, environment: str, *, subject: Subject = _NOBODY) -> Target:
    """Return where a call goes; `subject` chooses between a deployment's two releases, the same always for the same.

    Raises Invalid, NotFound, Denied, or Conflict for a deployment that is paused and a release that was withdrawn.
    """
    return lookup(tx, text, environment).pick(subject)


def lookup(tx: Tx, text: str, environment: str) -> Choice:
    """Return what a name leads to. Raises as `resolve` does, but for what ails a release of a deployment."""
    head, slash, rest = text.partition("/")
    if slash and head not in providers.RESERVED:
        return Choice(_direct(tx, head, rest, environment))
    ref = parse(text, None if "/" in text else "deployment")
    if ref.kind not in ("deployment", "release", "model"):
        raise Invalid(
            f"'{text}' is a {ref.kind}.", hint="Ask a deployment, release/…, model/… or PROVIDER/….", param="model"
        )
    access.require(tx.caller, f"{ref.kind}.use")
    require_asked(tx.caller, str(ref))
    if ref.kind == "model":
        return Choice(_bare(tx, str(ref), environment))
    if ref.kind == "release":
        return Choice(_released(tx, str(ref), environment, {}))
    move = deployments.find(tx, environment, ref.name)
    if move is None or ref.selector:
        raise NotFound(
            f"There is no deployment {text} in {environment}.",
            hint=_meant(tx, text) or "GET /v1/models lists what there is.",
            param="model",
        )
    if move.state == "paused":
        raise Conflict(f"The deployment {ref.name} is paused.", hint=f"`mainspring deployment resume {ref.name}`.")
    place = {"deployment": ref.name}
    baseline = _tried(tx, move.baseline, environment, {**place, "arm": "baseline"})
    canary = _tried(tx, move.canary, environment, {**place, "arm": "canary"}) if move.canary else None
    shadow = _tried(tx, move.shadow, environment, {}) if move.shadow else None
    # What ails a shadow is no caller's concern.
    return Choice(baseline, canary, shadow if isinstance(shadow, Target) else None, move)


def _tried(tx: Tx, ref: str, environment: str, place: dict[str, Any]) -> Target | MainspringError:
    try:
        return _released(tx, ref, environment, place)
    except MainspringError as error:
        return error


def _meant(tx: Tx, text: str) -> str:
    """Say how what was meant is asked for, in another environment or by its whole name; empty where nothing has it."""
    if text.startswith("embed-"):
        return "It makes embeddings: ask /v1/embeddings."
    if other := ", ".join(deployments.elsewhere(tx, text)):
        return f"There is one in {other}: send the header x-mainspring-environment."
    for kind in ("release", "model"):
        with suppress(MainspringError):
            return f"Did you mean {versions.resolve(tx, f'{kind}/{text}').ref.partition('@')[0]}?"
    return ""


def with_prompt(tx: Tx, target: Target, ref: str, options: Mapping[str, JSON]) -> Target:
    """Return a bare model's target with a prompt in front; what `options` say wins over the prompt's parameters.

    Raises Invalid where a release brings its own prompt, Denied, NotFound.
    """
    if target.release:
        hint = "Leave the prompt out, or ask model/…."
        raise Invalid(f"{target.release} brings its own prompt.", hint=hint, param="prompt")
    access.require(tx.caller, "prompt.read")
    version = prompts.load(tx, ref)
    parameters = {name: value for name, value in version.options_sent().items() if name not in options}
    return replace(target, prompt=version.ref, template=version, parameters=parameters)


def _bare(tx: Tx, ref: str, environment: str) -> Target:
    return Target(project=tx.project, environment=environment, **_served(tx, ref))


def _direct(tx: Tx, name: str, remote: str, environment: str) -> Target:
    """Return a provider's model that was named without a model of the registry."""
    access.require(tx.caller, "provider.use")
    require_asked(tx.caller, f"{name}/{remote}")
    source = providers.source_of(name, remote)
    facts: dict[str, Any] = {"spec": _remote(tx, source), "provider": name, "source": source}
    return Target(project=tx.project, environment=environment, model=f"{name}/{remote}", **facts)


def _served(tx: Tx, ref: str) -> dict[str, Any]:
    """Return the fields of a target that say who answers for a model version."""
    model = catalog.load(tx, ref)
    if not model.source:
        return {"model": model.ref, "spec": catalog.engine_spec(tx, model)}
    spec = _remote(tx, model.source)
    return {"model": model.ref, "spec": spec, "provider": spec.provider, "source": model.source}


def _remote(tx: Tx, source: str) -> Remote:
    return providers.remote(tx, *providers.parts_of(source))


def _released(tx: Tx, ref: str, environment: str, place: dict[str, Any]) -> Target:
    exact = versions.resolve(tx, ref, releases.KIND).ref
    state = releases.state_of(tx, exact)
    if state in _ENDED:
        raise Conflict(f"{exact} was {state}.", hint="Ask another release, or roll the deployment back.")
    target = _expanded(tx, exact)
    if target.source:
        # How a provider is reached may have changed since the release was looked up first.
        place = {**place, "spec": _remote(tx, target.source)}
    return replace(target, environment=environment, **place)


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
    asked = prompt.options_sent() if prompt else {}
    return Target(
        project=tx.project,
        environment="",
        **_served(tx, release.model),
        release=release.ref,
        prompt=release.prompt,
        guard=release.guard,
        policy=load_policy(tx, release.guard) if release.guard else None,
        parameters={**asked, **release.parameters.model_dump(exclude_none=True)},
        template=prompt,
    )

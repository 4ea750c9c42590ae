"""Plans: what an experiment will ask, with every reference made exact before anything is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.evals import scorers
from mainspring.evals.scorers import Metric
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.kernel.refs import parse
from mainspring.kernel.tx import Tx
from mainspring.prompts import PromptVersion
from mainspring.prompts import load as load_prompt
from mainspring.registry import load_release

USUAL = ("rougeL", "latency", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment's exact inputs."""

    dataset: str
    target: str
    """`model/name@n`, `release/name@n`, or `deployment/name`, which nothing pins."""
    model: str
    """Exact reference of the model that answers; empty for a deployment."""
    prompt: PromptVersion | None
    """What the rows are put into before they are sent; None where they are sent as they are."""
    inner: PromptVersion | None
    """The prompt that a release brings."""
    constrained: bool
    enforced: bool
    """Whether the schema is sent with each request; a release may hold to it by itself."""

    @property
    def schema(self) -> dict[str, JSON] | None:
        """The response schema, of the prompt or of the release's prompt."""
        version = self.prompt or self.inner
        return version.response_schema if version else None

    @property
    def brings_system(self) -> bool:
        """Whether the target brings its own system message: a release with a prompt does, and what is deployed may."""
        return self.inner is not None or not self.model

    @property
    def inputs(self) -> list[str]:
        """Exact references for the lineage."""
        pinned = [self.dataset, self.target if self.target.startswith("release/") else self.model]
        if self.prompt:
            pinned.append(self.prompt.ref)
        return [ref for ref in pinned if ref]


def make(tx: Tx, dataset: str, target: str, prompt: str, constrained: bool) -> Plan:
    """Pin the references. Raises Invalid, NotFound."""
    data = versions.resolve(tx, dataset, "dataset").ref
    ref = parse(target, None if "/" in target else "deployment")
    if ref.kind not in ("model", "release", "deployment"):
        raise Invalid(f"'{target}' cannot answer.", hint="A target is model/…, release/… or deployment/….")
    if ref.kind != "model" and prompt:
        raise Invalid(f"{ref} brings its own prompt.", hint="Leave the prompt out, or test the model itself.")
    pinned, model, inner, held = str(ref), "", None, False
    if ref.kind == "model":
        pinned = model = versions.resolve(tx, ref, "model").ref
    elif ref.kind == "release":
        release = load_release(tx, target)
        pinned, model, held = release.ref, release.model, bool(release.parameters.constrained)
        inner = load_prompt(tx, release.prompt) if release.prompt else None
    outer = load_prompt(tx, prompt) if prompt else None
    plan = Plan(data, pinned, model, outer, inner, constrained or held, constrained)
    if constrained and plan.schema is None:
        raise Invalid(
            "Nothing says what the answers should be held to.",
            hint="Give a prompt, or a release, with a response schema.",
        )
    return plan


def choose_metrics(names: Sequence[str], plan: Plan) -> list[Metric]:
    """Return the metrics asked for, or the usual ones. Raises Invalid for one that is unknown or cannot apply."""
    if not names:
        names = ["json", "schema", *USUAL] if plan.schema is not None else ["exact", *USUAL]
    found = [scorers.metric(name) for name in dict.fromkeys(names)]
    for metric in found:
        if "schema" in metric.scorer.needs and plan.schema is None:
            raise Invalid(f"The scorer '{metric.name}' needs a prompt with a response schema.")
        if "likelihood" in metric.scorer.needs and not plan.model:
            raise Invalid(f"The scorer '{metric.name}' needs a model or a release for its target, not a deployment.")
    return found


def generation(plan: Plan, max_tokens: int | None, temperature: float | None) -> dict[str, Any]:
    """Return max_tokens, temperature and stop: as asked, else the prompt's, else 256 and 0."""
    held = plan.prompt.parameters if plan.prompt else None
    own_tokens, own_temperature = (held.max_tokens, held.temperature) if held else (None, None)
    return {
        "max_tokens": max_tokens or own_tokens or 256,
        "temperature": temperature if temperature is not None else own_temperature or 0.0,
        "stop": list(held.stop) if held else [],
    }

"""Plans: what an experiment will ask, with every reference made exact before anything is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mainspring.evals import remote, scorers
from mainspring.evals.scorers import Metric
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.kernel.refs import parse
from mainspring.kernel.tx import Tx
from mainspring.prompts import PromptVersion
from mainspring.prompts import load as load_prompt
from mainspring.registry import load_release
from mainspring.traces import book

_USUAL_OPTIONS = ("max_tokens", "temperature", "seed", "stop")
USUAL = ("rougeL", "latency", "input_tokens", "output_tokens")
_is_url = remote.is_url


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment's exact inputs."""

    dataset: str
    target: str
    """`model/name@n`, `release/name@n`, or `deployment/name` or a URL, which nothing pins."""
    model: str
    """Exact reference of the model that answers; empty for a deployment and a URL."""
    prompt: PromptVersion | None
    """What the rows are put into before they are sent; None where they are sent as they are."""
    inner: PromptVersion | None
    """The prompt that a release brings."""
    constrained: bool
    enforced: bool
    """Whether the schema is sent with each request; a release may hold to it by itself."""
    held: Mapping[str, JSON] = field(default_factory=dict)
    """Parameters and tools, by their OpenAI names, of the prompt, or of the release and its prompt."""

    @property
    def extra(self) -> dict[str, JSON]:
        """What of the prompt is sent besides messages, schema and usual options; a release brings its own."""
        return {name: value for name, value in self.held.items() if name not in _USUAL_OPTIONS} if self.prompt else {}

    @property
    def schema(self) -> dict[str, JSON] | None:
        """The response schema, of the prompt or of the release's prompt."""
        version = self.prompt or self.inner
        return version.response_schema if version else None

    @property
    def brings_system(self) -> bool:
        """Whether the target brings its own system message: a release with a prompt does, and what is deployed may."""
        return self.inner is not None or not (self.model or self.is_url)

    @property
    def is_url(self) -> bool:
        """Whether the target is a server outside, named by its URL."""
        return _is_url(self.target)

    @property
    def inputs(self) -> list[str]:
        """Exact references for the lineage."""
        pinned = [self.dataset, self.target if self.target.startswith("release/") else self.model]
        if self.prompt:
            pinned.append(self.prompt.ref)
        return [ref for ref in pinned if ref]


def make(tx: Tx, dataset: str, target: str, prompt: str, constrained: bool, *, model: str = "") -> Plan:
    """Pin the references; `model` answers where the target is a prompt. Raises Invalid, NotFound."""
    data = versions.resolve(tx, dataset, "dataset").ref
    if target.startswith("prompt/"):
        if prompt or not model:
            raise Invalid(
                f"{target} is a prompt: a model must answer it." if not prompt else f"{target} and {prompt} are two.",
                hint="Say which model answers (`--model model/base`), and name the prompt once.",
            )
        prompt, target = target, model
    elif model:
        raise Invalid("A model besides the target is for a prompt alone.", hint="Leave --model out.")
    pinned, model, inner, held = answerer(tx, target, prompt)
    outer = load_prompt(tx, prompt) if prompt else None
    options = outer.options_sent() if outer else inner.options_sent() if inner else {}
    if pinned.startswith("release/"):
        options |= load_release(tx, pinned).parameters.model_dump(exclude_none=True, exclude={"constrained"})
    plan = Plan(data, pinned, model, outer, inner, constrained or held, constrained, options)
    if constrained and plan.schema is None:
        raise Invalid(
            "Nothing says what the answers should be held to.",
            hint="Give a prompt, or a release, with a response schema.",
        )
    return plan


def answerer(tx: Tx, target: str, prompt: str) -> tuple[str, str, PromptVersion | None, bool]:
    """Return the target made exact, its model, the prompt that it brings, and whether it holds to a schema itself."""
    if _is_url(target):
        remote.find(target, tx.platform.settings)
        return target, "", None, False
    ref = parse(target, None if "/" in target else "deployment")
    if ref.kind not in ("model", "release", "deployment"):
        hint = "A target is prompt/…, model/…, release/…, deployment/… or https://host/v1#model."
        raise Invalid(f"'{target}' cannot answer.", hint=hint)
    if ref.kind != "model" and prompt:
        raise Invalid(f"{ref} brings its own prompt.", hint="Leave the prompt out, or test the model itself.")
    if ref.kind == "model":
        pinned = versions.resolve(tx, ref, "model").ref
        return pinned, pinned, None, False
    if ref.kind == "release":
        release = load_release(tx, target)
        inner = load_prompt(tx, release.prompt) if release.prompt else None
        return release.ref, release.model, inner, bool(release.parameters.constrained)
    return str(ref), "", None, False


def server(tx: Tx, plan: Plan) -> remote.Server:
    """Return the server of a URL target, with the price of its model where the project has one."""
    found = remote.find(plan.target, tx.platform.settings)
    return replace(found, price=book(tx).price(found.model, tx.now))


def check_budget(tx: Tx, plan: Plan, max_cost: float | None) -> None:
    """Raise Invalid where a budget in money would not hold because nobody said what the target costs."""
    if max_cost is None:
        return
    check_price(tx, plan.model or plan.target.partition("#")[2], plan.target)


def check_price(tx: Tx, model: str, target: str) -> None:
    """Raise Invalid where a model has no price; of what is deployed, where there is no price at all."""
    prices = book(tx)
    known = prices.price(model, tx.now) is not None if model else bool(prices)
    if not known:
        raise Invalid(
            f"A budget in money needs a price, and {model or target} has none.",
            hint="Set it with `mainspring price set`, or bound the calls with --max-calls.",
        )


def choose_metrics(names: Sequence[str], plan: Plan) -> list[Metric]:
    """Return the metrics asked for, or the usual ones. Raises Invalid for one that is unknown or cannot apply."""
    if not names:
        names = ["json", "schema", *USUAL] if plan.schema is not None else ["exact", *USUAL]
    found = [scorers.metric(name) for name in dict.fromkeys(names)]
    for metric in found:
        if "schema" in metric.scorer.needs and plan.schema is None:
            raise Invalid(f"The scorer '{metric.name}' needs a prompt with a response schema.")
        if "likelihood" in metric.scorer.needs and not plan.model:
            raise Invalid(f"The scorer '{metric.name}' needs a model or a release for its target.")
    return found


def generation(plan: Plan, max_tokens: int | None, temperature: float | None) -> dict[str, Any]:
    """Return max_tokens, temperature and stop: as asked, else those of the prompt or the release, else 256 and 0.

    What is deployed brings its own, which None leaves to it: it is measured as its users meet it.
    """
    if plan.target.startswith("deployment/"):
        return {"max_tokens": max_tokens, "temperature": temperature, "stop": []}
    return {
        "max_tokens": max_tokens or plan.held.get("max_tokens") or 256,
        "temperature": temperature if temperature is not None else plan.held.get("temperature") or 0.0,
        "stop": plan.held.get("stop") or [],
    }

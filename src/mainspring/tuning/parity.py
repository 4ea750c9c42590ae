"""Parity: whether the server, with the exported files, is the model that the trainer made.

Greedy text alone would not do: on quantised weights two tokens that nearly tie may swap. So log-probabilities are
compared, within a tolerance that a format's rounding explains and a wrong adapter exceeds many times over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.kernel.ports import JSON, Endpoint
from mainspring.registry.tokenizer import Tokenizer
from mainspring.tuning.device import Device
from mainspring.tuning.examples import Example, Messages
from mainspring.tuning.models import ParityReport
from mainspring.tuning.sft import score_answers


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Largest differences of log-probability that a format's rounding explains, in nats."""

    mean: float
    max: float
    greedy: bool
    """Whether greedy text must be equal, but for ties."""

    @property
    def tie(self) -> float:
        """Two tokens tie within this many nats: each may be off by what a format's rounding explains on average."""
        return 2 * self.mean


TOLERANCES: Mapping[Literal["adapter", "merged"], Tolerance] = {
    "adapter": Tolerance(mean=0.12, max=1.0, greedy=False),
    "merged": Tolerance(mean=0.01, max=0.15, greedy=True),
}
"""adapter: over a quantised base, whose activations the server rounds to 8 bits. merged: in f16."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server's greedy answer to a prompt."""

    prompt: list[int]
    tokens: list[int]
    logprobs: list[float]
    """Of the leading tokens, up to the first that the server gives no figure for; in nats, before any sampling."""


def check_parity(
    kind: Literal["adapter", "merged"],
    model: Any,
    tokenizer: Tokenizer,
    prompts: Sequence[Messages],
    reach: Callable[[], Endpoint],
    *,
    adapter: str = "",
    tokens: int,
) -> ParityReport:
    """Compare trainer and server on prompts (messages without the answer), `tokens` of greedy answer at most each.

    `model` computes in float32 on the CPU; `reach` is asked before each prompt where the server is, which holds
    `adapter` (its SHA-256) among others. Raises Unavailable where the server does not answer.
    """
    tolerance, answers, equal = TOLERANCES[kind], list[Served](), True
    for messages in prompts:
        ids = tokenizer.encode(tokenizer.render(messages, generate=True))
        with _Server(reach(), adapter) as server:
            equal = equal and server.prompt_ids(messages) == ids
            answers.append(server.answer(ids, tokens))
    examples = [
        Example(str(index), (*served.prompt, *served.tokens), len(served.prompt))
        for index, served in enumerate(answers)
    ]
    scored = score_answers(model, examples, Device("float32", 0, cuda=False))
    differences = [
        abs(ours - theirs)
        for one, served in zip(scored, answers, strict=True)
        for ours, theirs in zip(one.logprobs, served.logprobs, strict=False)
    ]
    if not differences:
        raise Invalid("The server answered nothing to any of the prompts.", hint="Give it other rows to compare.")
    # Teacher forced: where the server took the other of two that tie, what follows is compared along its way.
    greedy = sum(all(lead <= tolerance.tie for lead in one.lead) for one in scored)
    mean, worst = sum(differences) / len(differences), max(differences)
    return ParityReport(
        format=kind,
        prompts=len(prompts),
        tokens=len(differences),
        token_ids_equal=equal,
        mean_difference=mean,
        max_difference=worst,
        tolerance_mean=tolerance.mean,
        tolerance_max=tolerance.max,
        greedy_equal=greedy,
        greedy_required=tolerance.greedy,
        passed=equal
        and mean <= tolerance.mean
        and worst <= tolerance.max
        and (greedy == len(prompts) or not tolerance.greedy),
    )


class _Server:
    """The few calls of llama.cpp's server that parity needs."""

    def __init__(self, endpoint: Endpoint, adapter: str) -> None:
        import httpx

        self._failed = httpx.HTTPError
        # The loopback server is meant, whatever proxy the environment names.
        self._client = httpx.Client(
            base_url=endpoint.url,
            headers={"Authorization": f"Bearer {endpoint.api_key}"},
            timeout=120.0,
            trust_env=False,
        )
        if adapter and adapter not in endpoint.adapters:
            raise Unavailable("The engine does not hold the adapter.", hint="Try again in a moment.")
        # A request that does not name every adapter may be answered from what another request left in its slot.
        scales = [{"id": at, "scale": float(held == adapter)} for at, held in enumerate(endpoint.adapters)]
        self._adapter: dict[str, JSON] = {"lora": scales} if scales else {}

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def prompt_ids(self, messages: Messages) -> list[int]:
        """Return the token ids that the server makes of messages by its own template and tokenizer."""
        text = self._post("/apply-template", {"messages": list(messages)})["prompt"]
        ids: list[int] = self._post("/tokenize", {"content": text, "add_special": True, "parse_special": True})[
            "tokens"
        ]
        return ids

    def answer(self, ids: list[int], tokens: int) -> Served:
        """Return the server's greedy answer to a prompt of token ids."""
        body = {"prompt": ids, "n_predict": tokens, "temperature": 0, "n_probs": 1, "cache_prompt": False}
        reply = self._post("/completion", {**body, "return_tokens": True, **self._adapter})
        answer = [int(token) for token in reply["tokens"]]
        logprobs: list[float] = []
        # Of a character that takes several tokens only the last is listed, so the list ends to be in step there.
        for token, one in zip(answer, reply.get("completion_probabilities", []), strict=False):
            if int(one["id"]) != token:
                break
            logprobs.append(float(one["logprob"]))
        return Served(ids, answer, logprobs)

    def _post(self, path: str, body: Mapping[str, JSON]) -> dict[str, Any]:
        try:
            reply = self._client.post(path, json=body)
        except self._failed as error:
            raise Unavailable(f"The model server does not answer: {error}") from error
        document = reply.json() if reply.content else {}
        if reply.status_code != 200 or "error" in document:
            raise Unavailable(f"The model server refused {path}: {document.get('error', reply.status_code)}")
        return dict(document)

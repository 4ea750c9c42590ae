"""What an answer costs: time, tokens, money."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mainspring.evals.scorers.registry import Answer, Corpus, scorer


@scorer("latency", unit="ms", higher_is_better=False, margin=0.1, relative=True)
def latency(answer: Answer, argument: str) -> float | None:
    """Milliseconds from request to the end of the answer."""
    return answer.latency_ms


@scorer("ttft", unit="ms", higher_is_better=False, margin=0.1, relative=True)
def time_to_first_token(answer: Answer, argument: str) -> float | None:
    """Milliseconds from request to the first token."""
    return answer.ttft_ms


@scorer("input_tokens", unit="tokens", higher_is_better=False, margin=0.1, relative=True)
def input_tokens(answer: Answer, argument: str) -> float | None:
    """Tokens of the prompt."""
    return None if answer.input_tokens is None else float(answer.input_tokens)


@scorer("output_tokens", unit="tokens", higher_is_better=False, margin=0.1, relative=True)
def output_tokens(answer: Answer, argument: str) -> float | None:
    """Tokens of the answer."""
    return None if answer.output_tokens is None else float(answer.output_tokens)


@scorer("cost", unit="cost", higher_is_better=False, margin=0.1, relative=True)
def cost(answer: Answer, argument: str) -> float | None:
    """Price of the answer, in the unit of the price table."""
    return answer.cost


@scorer("complete")
def complete(answer: Answer, argument: str) -> float:
    """The answer ended by itself, not at the limit of tokens."""
    return float(answer.finish_reason == "stop")


def _surprise(answer: Answer, argument: str) -> tuple[float, ...] | None:
    """Return minus the log-probability of the reference (nats) and its number of tokens."""
    found = answer.likelihood
    return None if found is None or found.tokens < 1 else (-found.total, float(found.tokens))


@scorer("loglikelihood", unit="nats", margin=0.05, relative=True, needs=("reference", "likelihood"))
def loglikelihood(answer: Answer, argument: str) -> float | None:
    """Log-probability of the reference in the trainer's runtime, in nats, all its tokens together."""
    found = answer.likelihood
    return None if found is None or found.tokens < 1 else found.total


def _perplexity(sums: Sequence[float]) -> float:
    return math.exp(sums[0] / sums[1])


@scorer(
    "perplexity",
    unit="perplexity",
    higher_is_better=False,
    margin=0.05,
    relative=True,
    needs=("reference", "likelihood"),
    corpus=Corpus(_surprise, _perplexity),
)
def perplexity(answer: Answer, argument: str) -> float | None:
    """Perplexity of the reference in the trainer's runtime: exp of the mean surprise of its tokens."""
    found = _surprise(answer, argument)
    return None if found is None else _perplexity(found)

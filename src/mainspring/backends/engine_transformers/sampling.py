"""Sampling: which token comes next, by the options of a request, and the text that is safe to be passed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_REFUSED = {
    "tools": "It calls no tools.",
    "response_format": "It holds no answer to a schema.",
    "logprobs": "It tells no probabilities.",
}
_PARTIAL = "\ufffd"
"""What the bytes of half a sign decode to."""


@dataclass(slots=True)
class Options:
    """What a request says of its answer."""

    max_tokens: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False

    @classmethod
    def of(cls, body: Mapping[str, Any], room: int) -> Options:
        """Read them from the body of a request with `room` tokens left in the context. Raises ValueError."""
        for name, problem in _REFUSED.items():
            if body.get(name) and not (name == "response_format" and body[name].get("type") == "text"):
                raise ValueError(f"This model runs on transformers. {problem} Serve a GGUF export of it for that.")
        asked = [int(body[name]) for name in ("max_tokens", "max_completion_tokens") if body.get(name)]
        stop = body.get("stop") or ()
        return cls(
            max_tokens=min([*asked, room]),
            temperature=_number(body, "temperature", 1.0),
            top_k=int(_number(body, "top_k", 0)),
            top_p=_number(body, "top_p", 1.0),
            min_p=_number(body, "min_p", 0.0),
            presence_penalty=_number(body, "presence_penalty", 0.0),
            frequency_penalty=_number(body, "frequency_penalty", 0.0),
            seed=int(body["seed"]) if body.get("seed") is not None else None,
            stop=(stop,) if isinstance(stop, str) else tuple(str(each) for each in stop),
            ignore_eos=bool(body.get("ignore_eos")),
        )


def _number(body: Mapping[str, Any], name: str, default: float) -> float:
    value = body.get(name)
    return default if value is None else float(value)


class Sampler:
    """Draws the tokens of one answer; the same seed gives the same ones whatever else is being answered."""

    def __init__(self, options: Options) -> None:
        import torch

        self._options = options
        self._draw = torch.Generator()
        if options.seed is None:
            self._draw.seed()
        else:
            self._draw.manual_seed(options.seed % (1 << 63))
        self._said: dict[int, int] = {}

    def next(self, scores: Any) -> int:
        """Return the next token, of a vector of scores over all tokens."""
        token = self._chosen(scores)
        self._said[token] = self._said.get(token, 0) + 1
        return token

    def _chosen(self, scores: Any) -> int:
        import torch

        options = self._options
        if (options.presence_penalty or options.frequency_penalty) and self._said:
            said = torch.tensor(list(self._said))
            counts = torch.tensor(list(self._said.values()), dtype=scores.dtype)
            scores = scores.clone()
            scores[said] -= options.presence_penalty + options.frequency_penalty * counts
        if options.temperature <= 0:
            return int(scores.argmax())
        order = torch.argsort(scores, descending=True, stable=True)
        shares = torch.softmax(scores[order] / options.temperature, -1)
        kept = torch.ones_like(shares, dtype=torch.bool)
        if options.top_k > 0:
            kept[options.top_k :] = False
        if options.top_p < 1:
            # Nucleus sampling (Holtzman et al. 2020): the fewest tokens that have this share together.
            kept &= shares.cumsum(-1) - shares < options.top_p
        if options.min_p > 0:
            kept &= shares >= options.min_p * shares[0]
        kept[0] = True
        return int(order[torch.multinomial(shares * kept, 1, generator=self._draw)])


@dataclass(slots=True)
class Text:
    """The text of an answer as it grows: what may be passed on, and where a stop sequence ends it."""

    decode: Callable[[Sequence[int]], str]
    stop: tuple[str, ...]
    tokens: list[int] = field(default_factory=list)
    stopped_by: str = ""
    _passed: int = 0
    """Characters that were passed on."""

    def add(self, token: int) -> str:
        """Take the next token and return what can no longer become part of a stop sequence, or of half a sign."""
        self.tokens.append(token)
        return self._pass(self.decode(self.tokens), last=False)

    def finish(self) -> str:
        """Return the rest; half a sign at the end stays away."""
        return "" if self.stopped_by else self._pass(self.decode(self.tokens), last=True)

    def _pass(self, text: str, *, last: bool) -> str:
        found = [(at, each) for each in self.stop if (at := text.find(each, max(0, self._passed - len(each)))) >= 0]
        if found:
            end, self.stopped_by = min(found)
        else:
            end = len(text) - _open(text, () if last else self.stop)
        piece = text[self._passed : end]
        self._passed = max(self._passed, end)
        return piece


def _open(text: str, stop: Sequence[str]) -> int:
    """Return how many characters at the end could still change: half a sign, or the beginning of a stop sequence."""
    partial = len(text) - len(text.rstrip(_PARTIAL))
    longest = [length for each in stop for length in range(1, len(each)) if text.endswith(each[:length])]
    return max([partial, *longest])

"""Tokenizer: a GGUF model's own, built from the file alone, so that counts equal the engine's `/tokenize`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import JSON
from mainspring.registry.gguf_header import read_header

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Core

_CONTROL, _USER_DEFINED = 3, 4

# How a text is cut before the merges: the names and the cuts are llama.cpp's (`tokenizer.ggml.pre`).
_DIGITS_APART = {"smollm", "codeshell", "exaone", "starcoder", "refact", "command-r"}
_AS_GPT2 = {"gpt-2", "gpt2", "default", "phi-2", "jina-en", "jina-es", "jina-de", "mpt", "olmo"}


class Tokenizer:
    """Text to token ids and back, and messages to the model's prompt."""

    def __init__(self, core: Core, metadata: Mapping[str, JSON]) -> None:
        self._core = core
        tokens = metadata["tokenizer.ggml.tokens"]
        self.vocabulary: int = len(tokens)
        self.eos: int = int(metadata.get("tokenizer.ggml.eos_token_id", 0))
        self.bos: int | None = metadata.get("tokenizer.ggml.bos_token_id")
        self.chat_template: str = str(metadata.get("tokenizer.chat_template", ""))
        self.context: int = int(metadata.get(f"{metadata.get('general.architecture', '')}.context_length", 0))
        self._names: dict[str, str] = {
            "eos_token": tokens[self.eos],
            "bos_token": tokens[self.bos] if self.bos is not None else "",
        }

    @property
    def core(self) -> Core:
        """The tokenizer of the `tokenizers` library that does the work."""
        return self._core

    @property
    def eos_token(self) -> str:
        """Text of the token that ends an answer."""
        return self._names["eos_token"]

    @property
    def bos_token(self) -> str:
        """Text of the token that begins a document, or empty."""
        return self._names["bos_token"]

    def encode(self, text: str) -> list[int]:
        """Return the token ids; control tokens that stand in the text count as one token each."""
        ids: list[int] = self._core.encode(text, add_special_tokens=False).ids
        return ids

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of many texts, in their order."""
        return [found.ids for found in self._core.encode_batch_fast(list(texts), add_special_tokens=False)]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has."""
        return [len(ids) for ids in self.encode_many(texts)]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, control tokens included."""
        text: str = self._core.decode(list(ids), skip_special_tokens=False)
        return text

    def render(self, messages: Sequence[Mapping[str, JSON]], *, generate: bool = False) -> str:
        """Return the prompt that the model's chat template makes of the messages; `generate` opens the answer.

        Raises Invalid where the model has no template, or the template refuses the messages.
        """
        from jinja2.exceptions import TemplateError

        if not self.chat_template:
            raise Invalid("The model brings no chat template.", hint="Use a model that was tuned to chat.")
        try:
            template = _template(self.chat_template)
            return str(template.render(messages=list(messages), add_generation_prompt=generate, **self._names))
        except TemplateError as error:
            raise Invalid(f"The chat template refuses the messages: {error}") from error


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer of a GGUF file; reading it again is free. Raises Invalid for another kind."""
    state = path.stat()
    return _load(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: str, _size: int, _changed: int) -> Tokenizer:
    metadata = read_header(Path(path), check_extents=False).metadata
    model, pre = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre", "default")
    if model != "gpt2" or pre not in _DIGITS_APART | _AS_GPT2:
        raise Invalid(
            f"{Path(path).name} has a tokenizer of the kind {model}/{pre}, which is not supported.",
            hint="Byte-level BPE as in SmolLM2 and GPT-2 is.",
        )
    return Tokenizer(_core(metadata, str(pre)), metadata)


def _core(metadata: Mapping[str, JSON], pre: str) -> Core:
    from tokenizers import AddedToken, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Core

    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    kinds: list[int] = metadata.get("tokenizer.ggml.token_type", [1] * len(tokens))
    merges = [tuple(pair.split(" ", 1)) for pair in metadata["tokenizer.ggml.merges"]]
    core = Core(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    byte_level: Any = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if pre in _DIGITS_APART:
        byte_level = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    core.pre_tokenizer = byte_level
    core.decoder = decoders.ByteLevel()
    marked = [(AddedToken(token, normalized=False), kind) for token, kind in zip(tokens, kinds, strict=True)]
    core.add_special_tokens([token for token, kind in marked if kind == _CONTROL])
    core.add_tokens([token for token, kind in marked if kind == _USER_DEFINED])
    return core


@lru_cache(maxsize=16)
def _template(source: str) -> Any:
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # A template comes with a model file, so it is untrusted code; published templates are written for trimming.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now(UTC).strftime(form)
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    return environment.from_string(source)


def _refuse(message: str) -> NoReturn:
    from jinja2.exceptions import TemplateError

    raise TemplateError(message)

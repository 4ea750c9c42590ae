"""Model: weights in safetensors with an adapter merged in, a tokenizer, and one step of an answer."""

from __future__ import annotations

import ctypes
import inspect
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_TEMPLATE_SECONDS = 10.0
"""What a chat template may take: it comes with a model, and may loop for years."""
_WEIGHTS, _CONFIG = "adapter_model.safetensors", "adapter_config.json"


class Model:
    """What answers; every method but `load` is for one thread at a time."""

    def __init__(self, network: Any, tokenizer: Any, context: int) -> None:
        self._network = network
        self._tokenizer = tokenizer
        self._last: dict[str, int] = {}
        if "logits_to_keep" in inspect.signature(network.forward).parameters:
            self._last["logits_to_keep"] = 1
        self.context = context
        ends = network.generation_config.eos_token_id if network.generation_config is not None else None
        listed = ends if isinstance(ends, list) else [ends]
        self.ends = frozenset(int(each) for each in [*listed, tokenizer.eos_token_id] if each is not None)

    @classmethod
    def load(cls, folder: Path, *, context: int, threads: int) -> Model:
        """Read a folder in the layout of Hugging Face, with an adapter of PEFT below `adapter/` where there is one.

        Nothing is executed that comes with it, and nothing is downloaded. Raises ValueError where an adapter does not
        fit, and whatever the libraries do.
        """
        import torch
        import transformers
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        cuda = torch.cuda.is_available()
        kind = torch.bfloat16 if cuda else torch.float32
        network: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=kind, use_safetensors=True, **safe)
        if (folder / "adapter").is_dir():
            network = _merged(network, folder / "adapter")
        network = network.eval().to("cuda" if cuda else "cpu")
        longest = int(getattr(network.config, "max_position_embeddings", 0) or context)
        return cls(network, AutoTokenizer.from_pretrained(folder, **safe), min(context, longest))

    def prompt_of(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the tokens of a chat with the answer begun. Raises ValueError where the template refuses it."""
        import jinja2

        if not self._tokenizer.chat_template:
            raise ValueError("The model brings no chat template; ask /v1/completions.")
        try:
            with interrupting(_TEMPLATE_SECONDS):
                text = self._tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        except jinja2.exceptions.TemplateError as error:
            raise ValueError(f"The chat template refuses the messages: {error}") from error
        except TookTooLong:
            raise ValueError(f"The chat template took over {_TEMPLATE_SECONDS:.0f} seconds.") from None
        return self.tokens_of(text, marks=False)

    def tokens_of(self, text: str, *, marks: bool = True) -> list[int]:
        """Return the tokens of a text, with the model's own marks about it or without."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=marks)["input_ids"]
        return ids

    def text_of(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without those that are marks."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def step(self, tokens: Sequence[int], cache: Any) -> tuple[Any, Any]:
        """Read tokens after those that a cache holds; return the scores of the next token, and the cache with them."""
        import torch

        given = torch.tensor([list(tokens)], device=self._network.device)
        out = self._network(input_ids=given, past_key_values=cache, use_cache=True, **self._last)
        return out.logits[0, -1].float().cpu(), out.past_key_values


class TookTooLong(BaseException):
    """Raised within `interrupting` when the time is over."""


@contextmanager
def interrupting(seconds: float) -> Iterator[None]:
    """Raise TookTooLong in this thread, between two steps of its Python code, once it has been here for so long."""
    raise_in, thread = ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(threading.get_ident())
    lock, over = threading.Lock(), False

    def strike() -> None:
        with lock:
            if not over:
                raise_in(thread, ctypes.py_object(TookTooLong))

    timer = threading.Timer(seconds, strike)
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
        timer.cancel()


def _merged(network: Any, folder: Path) -> Any:
    """Return the model with an adapter merged in; ValueError where a matrix of it found no place, or the reverse."""
    from peft import PeftConfig, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    settings = json.loads((folder / _CONFIG).read_text())
    # It may name its base by a path or a name elsewhere; the weights that are given are meant.
    settings["base_model_name_or_path"] = None
    if settings.get("megatron_config"):
        raise ValueError("The adapter asks for a library of its own, which is not loaded.")
    tuned: Any = get_peft_model(network, PeftConfig.from_peft_type(**settings))
    outcome: Any = set_peft_model_state_dict(tuned, load_file(folder / _WEIGHTS))
    missing = [name for name in outcome.missing_keys if "lora_" in name]
    if outcome.unexpected_keys or missing:
        raise ValueError(
            f"The adapter does not fit its base: {len(outcome.unexpected_keys)} of its matrices found no place, "
            f"{len(missing)} places got none."
        )
    return tuned.merge_and_unload()

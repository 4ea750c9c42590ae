"""Base: a GGUF model as weights that can be trained, converted once and kept in a cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mainspring.kernel.errors import Invalid, MissingExtra
from mainspring.registry.gguf_header import read_header
from mainspring.registry.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Linear layers of a llama block."""


def require_torch() -> None:
    """Raise MissingExtra where the tuning stack is not installed; keep its libraries off the network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        import peft
        import torch
        import transformers
        import trl
    except ImportError as error:
        raise MissingExtra.of("tune", "Tuning") from error
    _ = peft, torch, trl
    # What the libraries announce of their own future is for whoever raises their bounds, not for a worker's log.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def trainable_folder(gguf: Path, sha256: str, cache: Path) -> Path:
    """Return a folder with the GGUF's weights as safetensors, its tokenizer and chat template; made once.

    Weights come dequantised, in float32. Raises Invalid for an architecture other than llama.
    """
    folder = cache / sha256
    with _locked(cache / f"{sha256}.lock"):
        if not folder.is_dir():
            architecture = read_header(gguf).metadata.get("general.architecture")
            if architecture != "llama":
                raise Invalid(f"A model of the architecture {architecture} cannot be tuned; llama can.")
            _convert(gguf, folder)
    return folder


def load_base(folder: Path, precision: Literal["float32", "bfloat16"], *, cuda: bool = False) -> PreTrainedModel:
    """Load the weights of `trainable_folder` in a precision, ready to compute."""
    import torch
    from transformers import AutoModelForCausalLM

    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=kind, local_files_only=True)
    return model.to("cuda") if cuda else model


def load_fast_tokenizer(gguf: Path) -> PreTrainedTokenizerFast:
    """Return the GGUF's tokenizer in the form that the trainer takes; the padding token is the end token."""
    from transformers import PreTrainedTokenizerFast

    own = load_tokenizer(gguf)
    return PreTrainedTokenizerFast(
        tokenizer_object=own.core,
        bos_token=own.bos_token or None,
        eos_token=own.eos_token,
        pad_token=own.eos_token,
        chat_template=own.chat_template or None,
        model_max_length=own.context or 2048,
    )


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".convert-") as scratch:
        # The reader looks the file up by name in a folder; a stored file has its hash for a name.
        source, draft = Path(scratch) / "source", Path(scratch) / "draft"
        source.mkdir()
        (source / "model.gguf").symlink_to(gguf.absolute())
        model: Any = AutoModelForCausalLM.from_pretrained(source, gguf_file="model.gguf", dtype=torch.float32)
        # It was dequantised while it was read; the mark that it is quantised would forbid saving it.
        model.hf_quantizer.remove_quantization_config(model)
        model.config._name_or_path = ""
        model.save_pretrained(draft)
        load_fast_tokenizer(gguf).save_pretrained(draft)
        shutil.move(draft, folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

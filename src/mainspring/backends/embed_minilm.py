"""Embeddings by all-MiniLM-L6-v2 on onnxruntime: 384 dimensions, mean of the token vectors, unit length."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.kernel.errors import NotFound
from mainspring.kernel.settings import Settings

if TYPE_CHECKING:
    import numpy as np

NAME = "embed-minilm"
DIMENSIONS = 384
_LONGEST = 128
"""Tokens of a text that are read: as many as the model was trained on."""
_BATCH = 8


def open_embed(url: str, home: Path, settings: Settings) -> MiniLM:
    """Open the model in the folder of pulled models; nothing is read before the first text."""
    places = [settings.models / "minilm", Path("~/.mainspring/models/minilm").expanduser()]
    folder = next((place for place in places if place.is_dir()), places[0])
    return MiniLM(folder, int(settings["engine.threads"]))


class MiniLM:
    """The Embed port over one ONNX session, made at first use and shared by all threads."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self._folder = folder
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any, list[str]] | None = None

    @property
    def name(self) -> str:
        """Name of the embedding model."""
        return NAME

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 vectors of unit length, shape (len(texts), 384). Raises NotFound without the model's files.

        An empty text has the vector of the empty sentence. Texts beyond 128 tokens are cut.
        """
        import numpy as np

        out = np.zeros((len(texts), DIMENSIONS), np.float32)
        if not texts:
            return out
        session, tokenizer, inputs = self._load()
        encoded = tokenizer.encode_batch_fast(list(texts))
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda at: len(encoded[at].ids))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            width = max(len(encoded[at].ids) for at in batch)
            ids = np.zeros((len(batch), width), np.int64)
            mask = np.zeros((len(batch), width), np.int64)
            for row, at in enumerate(batch):
                ids[row, : len(encoded[at].ids)] = encoded[at].ids
                mask[row, : len(encoded[at].ids)] = 1
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            states = session.run(None, {name: given[name] for name in inputs})[0]
            weights = mask[:, :, None].astype(np.float32)
            mean = (states * weights).sum(1) / weights.sum(1).clip(min=1)
            out[batch] = mean / np.linalg.norm(mean, axis=1, keepdims=True).clip(min=1e-12)
        return out

    def count(self, texts: Sequence[str]) -> int:
        """Return how many tokens of the texts are read, marks of beginning and end included."""
        return sum(len(found.ids) for found in self._load()[1].encode_batch_fast(list(texts)))

    def _load(self) -> tuple[Any, Any, list[str]]:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._open()
            return self._loaded

    def _open(self) -> tuple[Any, Any, list[str]]:
        model, words = self._folder / "model.onnx", self._folder / "tokenizer.json"
        for path in (model, words):
            if not path.is_file():
                raise NotFound(
                    f"The embedding model is not there ({path}).", hint="Run `mainspring model pull minilm`."
                )
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        tokenizer = Tokenizer.from_file(str(words))
        tokenizer.no_padding()
        tokenizer.enable_truncation(_LONGEST)
        return session, tokenizer, [item.name for item in session.get_inputs()]

"""Embeddings by the pulled model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mainspring.backends.embed_minilm import MiniLM, open_embed
from mainspring.kernel import settings
from mainspring.kernel.errors import NotFound
from mainspring.registry import pull


@pytest.fixture(scope="module")
def model() -> MiniLM:
    config = settings.load({"models": str(pull.models_dir())}, environ={})
    return open_embed("", Path("unused"), config)


@pytest.mark.model
def test_like_texts_lie_close(model: MiniLM) -> None:
    vectors = model.embed(["a cat sits on the mat", "a kitten sat upon a rug", "revenue grew in the third quarter"])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > 0.5 > likeness[0, 2]


@pytest.mark.model
def test_order_and_odd_texts(model: MiniLM) -> None:
    texts = ["short", "word " * 2000, "", "short"]
    vectors = model.embed(texts)
    assert np.isfinite(vectors).all()
    assert np.allclose(vectors[0], vectors[3], atol=0.05)
    assert model.embed([]).shape == (0, 384)


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        MiniLM(tmp_path).embed(["text"])
    assert "model pull minilm" in caught.value.hint

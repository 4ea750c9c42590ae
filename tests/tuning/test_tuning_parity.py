"""Trainer against server: the exported files on a real engine, and that a wrong file is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.kernel.errors import Unavailable
from mainspring.kernel.ports import Endpoint, EngineSpec
from mainspring.registry.tokenizer import load_tokenizer
from mainspring.tuning.adapter import add_adapter, load_adapter, save_adapter
from mainspring.tuning.base import load_base
from mainspring.tuning.export import export_adapter, export_merged
from mainspring.tuning.models import SftConfig
from mainspring.tuning.parity import check_parity

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PROMPTS = [[{"role": "user", "content": text}] for text in ("abc", "what is the thé?", "12 34")]


def tuned(folder: Path, tiny_folder: Path, seed: int) -> Path:
    import torch

    torch.manual_seed(seed)
    model = add_adapter(load_base(tiny_folder, "float32"), SftConfig(rank=4, alpha=8, layers=0))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    save_adapter(model, folder, "model/tiny@1", tiny_folder)
    return folder


@pytest.fixture(scope="module")
def files(tiny: Path, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exports")
    right = tuned(folder / "right", tiny_folder, 1)
    wrong = tuned(folder / "wrong", tiny_folder, 2)
    export_adapter(right, tiny, folder / "adapter.gguf")
    export_adapter(wrong, tiny, folder / "other.gguf")
    merged = load_adapter(load_base(tiny_folder, "float32"), right).merge_and_unload()
    export_merged(merged, tiny, folder / "merged.gguf", "merged")
    return {
        "base": tiny, "peft": right, "adapter": folder / "adapter.gguf", "other": folder / "other.gguf",
        "merged": folder / "merged.gguf",
    }  # fmt: skip


@pytest.fixture(scope="module")
def engine(files: dict[str, Path]) -> Iterator[EnginePool]:
    pool = EnginePool(files.__getitem__, limits=EngineLimits(threads=1))
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def model(files: dict[str, Path], tiny_folder: Path) -> Any:
    return load_adapter(load_base(tiny_folder, "float32"), files["peft"])


def test_the_merged_file_and_the_adapter_are_what_was_trained(
    tiny: Path, files: dict[str, Path], engine: EnginePool, model: Any
) -> None:
    tokenizer = load_tokenizer(tiny)
    served = {"adapter": EngineSpec("base", "adapter", 512, 1), "merged": EngineSpec("merged", "", 512, 1)}
    for kind, spec in served.items():
        reach = partial(engine.ensure, spec)
        report = check_parity(kind, model, tokenizer, PROMPTS, reach, adapter=spec.adapter, tokens=16)  # type: ignore[arg-type]
        assert report.token_ids_equal, "the chat template and the tokenizer of both sides agree"
        assert report.passed, report
        assert report.tokens > 16
    engine.stop(served["merged"])


def test_another_adapter_or_none_does_not_pass(
    tiny: Path, engine: EnginePool, model: Any, files: dict[str, Path]
) -> None:
    tokenizer = load_tokenizer(tiny)
    for adapter in ("other", ""):
        reach = partial(engine.ensure, EngineSpec("base", adapter, 512, 1))
        kind = "adapter" if adapter else "merged"
        report = check_parity(kind, model, tokenizer, PROMPTS, reach, adapter=adapter, tokens=16)  # type: ignore[arg-type]
        assert not report.passed
        assert report.mean_difference > 3 * report.tolerance_mean


def test_a_server_that_is_not_there_is_unavailable(tiny: Path, model: Any) -> None:
    nowhere = Endpoint("http://127.0.0.1:1", "")
    with pytest.raises(Unavailable):
        check_parity("merged", model, load_tokenizer(tiny), PROMPTS, lambda: nowhere, tokens=4)


def test_an_adapter_passes_beside_others_of_its_base(tiny: Path, engine: EnginePool, model: Any) -> None:
    """Adapters of one base share a process: each must be asked by its own place there."""
    for adapter in ("other", "adapter"):
        engine.ensure(EngineSpec("base", adapter, 512, 1))
    reach = partial(engine.ensure, EngineSpec("base", "adapter", 512, 1))
    assert set(reach().adapters) == {"other", "adapter"}
    report = check_parity("adapter", model, load_tokenizer(tiny), PROMPTS, reach, adapter="adapter", tokens=16)
    assert report.passed, report

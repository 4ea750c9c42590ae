"""An experiment on the real model, free and held to a schema."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.backends.engine_llamacpp import EngineLimits, EnginePool
from mainspring.evals import Experiment, Experiments
from mainspring.prompts import Prompts
from mainspring.registry import ModelContent, ModelFile, register

METRICS = ["json", "schema", "field:package", "latency", "output_tokens"]
SHORT = {
    "type": "object",
    "properties": {"package": {"enum": ["json", "yaml", "http", "csv"]}},
    "required": ["package"],
    "additionalProperties": False,
}


@pytest.fixture
def base(platform, questions, tmp_path):
    """The base model in the registry, and an engine that serves it."""
    folder = Path(os.environ.get("MAINSPRING_MODELS") or "~/.mainspring/models").expanduser()
    path = folder / "smollm2" / "model.gguf"
    if not path.exists():
        pytest.fail("the base model is not here: run `make install`, or deselect with -m 'not model'")
    from mainspring.serving.chat import EngineChat

    stored = platform.files.put(path)
    file = ModelFile(path="model.gguf", sha256=stored.sha256, size=stored.size, role="weights")
    with platform.begin() as tx:
        model = register(tx, "smollm2", ModelContent(format="gguf", files=[file], license="Apache-2.0"))
    limits = EngineLimits(max_loaded=1, drain_seconds=20, threads=1)
    platform.engine_port = pool = EnginePool(platform.files.path, limits=limits, logs=tmp_path / "logs")
    platform.chat_port = EngineChat(platform)
    yield model.ref
    pool.close()


@pytest.mark.slow
@pytest.mark.model
def test_free_and_constrained_answers_of_the_base_model(platform, base):
    experiments = Experiments(platform)
    Prompts(platform).commit("pick", [{"role": "user", "content": "Name a package as JSON. {{input}}"}], schema=SHORT)
    asked = {"prompt": "prompt/pick", "scorers": METRICS, "limit": 20, "max_tokens": 32}
    free = experiments.run("dataset/docs", base, name="free", **asked)
    held = experiments.run("dataset/docs", base, name="held", constrained=True, **asked)
    assert (free.error, held.error) == (None, None)
    found = {figure.metric: figure for figure in Experiment.model_validate(held.result).figures}
    assert found["json"].value == found["schema"].value > 0.9
    assert found["latency"].value > 0
    compared = experiments.compare("free", "held", across_modes=True)
    by_name = {metric.metric: metric for metric in compared.metrics}
    assert by_name["schema"].difference > 0.3
    assert by_name["schema"].verdict == "better"
    again = experiments.run("dataset/docs", base, reuse=True, **asked)
    first = experiments.rows(free.id).items
    assert [row.answer for row in experiments.rows(again.id).items] == [row.answer for row in first]

"""A worker that is killed in the middle of training loses no more than the steps since its last checkpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainspring.data.service import Datasets
from mainspring.kernel import jobs
from mainspring.kernel.platform import Platform
from mainspring.registry import Models, keep_file
from mainspring.tuning import Runs, SftConfig, Tunes

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WORKER = """
import sys
from pathlib import Path
from mainspring.backends.files_object import open_files
from mainspring.backends.records_sqlite import open_records
from mainspring.kernel import jobs, settings
from mainspring.kernel.clock import SystemClock, SystemIds
from mainspring.kernel.keyring import Keyring
from mainspring.kernel.platform import Platform
import mainspring.tuning.jobs

home = Path(sys.argv[1])
config = settings.load({"home": str(home)}, environ={}, folder=home)
platform = Platform(
    home=home, settings=config, clock=SystemClock(), ids=SystemIds(), keyring=Keyring(b"k" * 32),
    records=open_records("", home, config), files=open_files("", home, config),
)
jobs.execute(platform, sys.argv[2])
"""


def test_training_survives_kill_9(platform: Platform, tiny: Path, tmp_path: Path) -> None:
    rows = [
        {"id": f"r{i}", "messages": [{"role": "user", "content": "abc"[i % 3]}, {"role": "assistant", "content": "x"}]}
        for i in range(12)
    ]
    file = keep_file(platform, "\n".join(json.dumps(row) for row in rows).encode())
    Datasets(platform).import_("letters", file.sha256)
    Models(platform).import_("tiny", keep_file(platform, tiny).sha256)
    platform.runner_port = None
    config = SftConfig(
        steps=150, batch=2, rank=2, layers=1, threads=1, precision="float32", checkpoint_every=5, merged=False,
        parity=False, validation_rows=0,
    )  # fmt: skip
    run = Tunes(platform).sft("letters", "tiny", name="m", config=config)
    assert run.state == "queued"

    checkpoints = platform.home / "runs" / run.id / "checkpoints"
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    arguments = [sys.executable, str(script), str(platform.home), run.id]
    worker = subprocess.Popen(arguments, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 400
    while not (checkpoints / "checkpoint-10" / "trainer_state.json").is_file() and worker.poll() is None:
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.01)  # a step of waiting on a condition of another process, which needs the processor
    worker.kill()
    worker.wait()

    assert Runs(platform).get(run.id).state == "running", "nobody wrote an end"
    jobs.execute(platform, run.id)
    finished = Runs(platform).get(run.id)
    assert finished.state == "succeeded", finished.error
    assert finished.attempt == 2
    assert finished.result["training"]["resumed_from_step"] >= 5
    assert Models(platform).get("m").metadata["training"]["steps"] == 150

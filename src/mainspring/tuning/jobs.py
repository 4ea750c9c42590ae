"""Jobs of tuning."""

from __future__ import annotations

import shutil
from typing import Any

from mainspring.kernel.jobs import Job, job
from mainspring.tuning.device import give_back_memory
from mainspring.tuning.tuner import Tuner


@job("tune.sft")
def sft(task: Job) -> dict[str, Any]:
    """Tune, export, compare trainer and server, register: each a step, and training goes on from its checkpoints."""
    try:
        result = _sft(task, Tuner(task))
    finally:
        give_back_memory()
    shutil.rmtree(task.workdir, ignore_errors=True)
    return result


def _sft(task: Job, tuner: Tuner) -> dict[str, Any]:
    trained = task.step("train", tuner.train)
    files = task.step("export", tuner.export)
    parity = task.step("parity", lambda: tuner.parity(files))
    registered = task.step("register", lambda: tuner.register(trained, files, parity))
    return {
        **registered,
        "base": tuner.base.ref,
        "dataset": tuner.dataset.ref,
        "training": trained,
        "files": files,
        "parity": parity,
    }

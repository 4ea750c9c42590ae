"""Every snippet of the README and the docs runs, page by page from top to bottom, against a real server.

Blocks marked `python` and `sh` are run; what cannot run here (installing, commands that stay) is marked `text`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {"python", "sh", "text", "json", "yaml"}


def blocks(page: Path) -> list[tuple[str, str]]:
    return FENCE.findall(page.read_text())


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUN = [page for page in PAGES if any(kind in ("python", "sh") for kind, _ in blocks(page))]


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server, and the environment in which a reader on its machine would work."""
    home = tmp_path_factory.mktemp("snippets") / "home"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    held = {**os.environ, "MAINSPRING_HOME": str(home), "PATH": path, "MAINSPRING_PORT": "0"}
    command = [sys.executable, "-m", "mainspring"]
    started = subprocess.run(
        [*command, "up", "--detach", "--json"], env=held, capture_output=True, text=True, check=False
    )
    assert started.returncode == 0, started.stderr
    assert json.loads(started.stdout)["state"] == "ready"
    yield held
    subprocess.run([*command, "down"], env=held, capture_output=True, check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_what_it_is(page: Path) -> None:
    assert [kind for kind, _ in blocks(page) if kind not in KINDS] == []


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_run(page: Path, environ: dict[str, str], tmp_path: Path) -> None:
    for kind, text in blocks(page):
        if kind == "python":
            command = [sys.executable, "-c", text]
        elif kind == "sh":
            command = ["bash", "-euo", "pipefail", "-c", text]
        else:
            continue
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"

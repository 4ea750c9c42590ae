"""Nobody but the owner reads what the processes write, also in a home folder that was there before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_files_are_for_the_owner_alone_in_a_folder_that_others_may_look_into(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    given = json.dumps({"settings": {"home": str(home)}, "url": "http://127.0.0.1:1"})
    command = [sys.executable, "-m", "mainspring.surfaces.processes.child", "setup"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(given + "\n")
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["owner_key"].startswith("ms_")
        child.stdin.close()
    made = [path for path in home.rglob("*") if path.is_file()]
    assert {"records.db", "secret.key", "credentials.json"} <= {path.name for path in made}
    assert [path.name for path in home.rglob("*") if path.stat().st_mode & 0o077] == []

"""The public face of each room, and what the command line may load."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys

import pytest

import mainspring

ROOMS = sorted(module.name for module in pkgutil.iter_modules(mainspring.__path__) if module.ispkg)
HEAVY = {
    "aiohttp", "apsw", "dbos", "fastapi", "gguf", "numpy", "obstore", "onnxruntime", "psycopg", "scipy", "sqlalchemy",
    "starlette", "tokenizers", "torch", "transformers", "uvicorn", "xllamacpp",
}  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_and_shows_its_public_names(room: str) -> None:
    module = importlib.import_module(f"mainspring.{room}")
    assert module.__doc__, f"{room} has no docstring"
    shown = getattr(module, "__all__", [])
    assert sorted(shown) == sorted(set(shown))
    for name in shown:
        assert hasattr(module, name), f"mainspring.{room}.__all__ names {name}, which is not there"
    defined = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "").startswith("mainspring")
    }
    assert defined <= set(shown), f"mainspring.{room} shows {sorted(defined - set(shown))} outside __all__"


def loaded_by(*arguments: str) -> set[str]:
    code = (
        "import sys, json\n"
        f"sys.argv = ['mainspring', *{list(arguments)!r}]\n"
        "from mainspring.surfaces.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_loads_no_server_database_or_model_library(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(*arguments)
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_no_room_loads_a_library_of_numbers_or_models_before_it_computes() -> None:
    code = (
        "import sys\n"
        "from mainspring.surfaces.nouns import load_rooms\n"
        "load_rooms()\n"
        "heavy = ('scipy.special', 'scipy.stats', 'scipy.sparse', 'onnxruntime', 'torch', 'pandas', 'pyarrow')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Write the reference pages and the OpenAPI document from the code; `--check` only tells which are out of date."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Written by scripts/reference.py from the code: change the code, then run it again. -->\n\n"


def settings_page() -> str:
    """Every setting, its environment variable, default and meaning."""
    from mainspring.kernel.settings import SETTINGS

    lines = [
        "# Settings\n",
        "A flag wins over the environment, that over `./mainspring.toml`, that over",
        "`~/.config/mainspring/config.toml`, that over the default. `mainspring config show` tells what is in force,",
        "and where it came from.\n",
        "| setting | environment variable | default | meaning |",
        "|---|---|---|---|",
    ]
    for setting in SETTINGS:
        default = f"`{json.dumps(setting.default)}`" if setting.default != "" else ""
        lines.append(f"| `{setting.name}` | `{setting.variable}` | {default} | {setting.help} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Every error with its status and exit code."""
    from mainspring.kernel import errors

    lines = [
        "# Errors\n",
        'Every error is `{"error": {"code", "message", "hint"}}`: what was wrong, with what, and what to do. On the',
        "command line the message and the hint go to standard error, and the exit code tells the kind.\n",
        "| code | HTTP status | exit code |",
        "|---|---|---|",
    ]
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    ours = [kind for kind in kinds if issubclass(kind, errors.MainspringError)]
    lines += [f"| `{kind.code}` | {kind.status} | {kind.exit_code} |" for kind in ours]
    lines.append("\nExit code 0 is success, 130 an interruption.")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its endpoint, permission and meaning."""
    from mainspring.kernel.operation import operations
    from mainspring.surfaces.cli import TOP
    from mainspring.surfaces.commands.operations import BY_HAND
    from mainspring.surfaces.nouns import NOUNS

    lines = [
        "# Commands and endpoints\n",
        "Each line is one operation with three faces: a command, an endpoint under `/api/v1`, and a method of the",
        "Python client (`client.<noun>.<verb>`). `mainspring <noun> <verb> --help` lists the parameters, as does",
        "`/api/v1/openapi.json`.\n",
        "## Processes and upkeep\n",
        "| command | what it does |",
        "|---|---|",
    ]
    lines += [f"| `mainspring {name}` | {text} |" for name, (_, text) in TOP.items()]
    for noun in NOUNS:
        lines += [f"\n## {noun.name}\n", f"{noun.help}\n", "| command | endpoint | permission | what it does |"]
        lines.append("|---|---|---|---|")
        for spec in operations(noun.load()):
            command = f"mainspring {noun.name} {spec.verb.replace('_', '-')}"
            endpoint = f"{spec.method} {spec.path}"
            summary = spec.summary.replace("|", r"\|")
            lines.append(f"| `{command}` | `{endpoint}` | `{spec.permission}` | {summary} |")
        for module in BY_HAND.get(noun.name, ()):
            summary = inspect.getdoc(import_module(f"mainspring.surfaces.commands.{module}").run).partition("\n")[0]
            lines.append(f"| `mainspring {noun.name} {module.rpartition('_')[2]}` | | | {summary} |")
    return "\n".join(lines) + "\n"


def openapi() -> str:
    """The OpenAPI document of the REST API."""
    from mainspring.surfaces.rest import rest_app

    return json.dumps(rest_app(None).openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/settings.md": settings_page,
    "docs/reference/errors.md": errors_page,
    "docs/reference/commands.md": commands_page,
    "openapi.json": openapi,
}


def main() -> int:
    """Write what has changed; with `--check`, name it instead and return 1."""
    check = "--check" in sys.argv
    stale = []
    for name, make in PAGES.items():
        path = ROOT / name
        text = make() if path.suffix == ".json" else NOTE + make()
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.write_text(text)
    for name in stale:
        print(f"{name} {'is out of date: run scripts/reference.py' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())

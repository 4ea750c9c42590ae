"""The command line: a command for each operation, and a few by hand. stdout is data, stderr is people."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from mainspring import __version__
from mainspring.surfaces.nouns import NOUNS, Noun

Command = Any
"""A command of the copy of click that Typer carries; its types are not public."""

TOP: dict[str, tuple[str, str]] = {
    "up": ("mainspring.surfaces.commands.up", "Start everything and stay until it is stopped."),
    "down": ("mainspring.surfaces.commands.down", "Stop what `up` started."),
    "reload": ("mainspring.surfaces.commands.reload", "Start the API processes anew without a failed request."),
    "status": ("mainspring.surfaces.commands.status", "Show what is running."),
    "doctor": ("mainspring.surfaces.commands.doctor", "Check the installation and say what to mend."),
    "demo": ("mainspring.surfaces.commands.demo", "Run the whole loop on real data and a real model."),
    "backup": ("mainspring.surfaces.commands.backup", "Write a backup while everything runs."),
    "restore": ("mainspring.surfaces.commands.restore", "Bring back a backup."),
    "import": ("mainspring.surfaces.commands.imports", "Move in from another product."),
    "metrics": ("mainspring.surfaces.commands.metrics", "Show the server's metrics elsewhere."),
    "config": ("mainspring.surfaces.commands.config", "Show the settings and where each comes from."),
    "db": ("mainspring.surfaces.commands.db", "Bring the database's schema up to date."),
}
"""Commands written by hand: a module each, which holds a Typer application named `app`."""


class LazyGroup(TyperGroup):
    """Lists every command without importing any; imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, the hand-written ones first."""
        return [*TOP, *(noun.name for noun in NOUNS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Command | None:
        """Return a stand-in with name and help: enough for a list."""
        helps = {name: text for name, (_, text) in TOP.items()} | {noun.name: noun.help for noun in NOUNS}
        if cmd_name not in helps:
            return None
        return TyperGroup(name=cmd_name, help=helps[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Import the command that is to be run. Of one that is not there, say which is near."""
        if args and self.get_command(ctx, args[0]) is None and (near := self._near(ctx, args[0])):
            ctx.fail(f"No such command '{args[0]}'. Did you mean {near}?")
        name, stand_in, rest = super().resolve_command(ctx, args)
        if stand_in is None or name is None:
            return name, stand_in, rest
        return name, load_command(name), rest

    def _near(self, ctx: Any, word: str) -> str:
        """Return the commands whose names are most like a word that is none, or nothing."""
        from difflib import get_close_matches

        known = self.list_commands(ctx)
        found = [name for name in known if len(word) > 2 and name.startswith(word)]
        found += [name for name in get_close_matches(word, known) if name not in found]
        return " or ".join(f"'{name}'" for name in found[:3])


def load_command(name: str) -> Command:
    """Import and build the command or group of that name."""
    from importlib import import_module

    if name in TOP:
        application = import_module(TOP[name][0]).app
        command = typer.main.get_command(application)
        command.name = name
        return command
    from mainspring.surfaces.commands.operations import group

    noun: Noun = next(noun for noun in NOUNS if noun.name == name)
    return group(noun)


app = typer.Typer(
    cls=LazyGroup,
    name="mainspring",
    help="The whole LLM lifecycle in one product: data, prompts, tuning, review, serving, monitoring.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # formatting by rich doubles what `--help` costs
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mainspring {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    home: str = typer.Option(None, help="Home folder of the installation.", show_default=False),
    url: str = typer.Option(None, help="Server to talk to.", show_default=False),
    project: str = typer.Option(None, help="Project to work in.", show_default=False),
    environment: str = typer.Option(None, help="Environment to work in.", show_default=False),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Take the options that stand before the command."""
    flags = {"home": home, "url": url, "project": project, "environment": environment}
    ctx.obj = {name: value for name, value in flags.items() if value is not None}


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:2] == ["up"] and not {"--detach", "--help", "-h"} & set(sys.argv):
        from mainspring.surfaces.processes.alone import foresee

        foresee()
    command = typer.main.get_command(app)
    try:
        code = command.main(prog_name="mainspring", standalone_mode=False)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)
    except BaseException as problem:
        sys.exit(_explain(problem))
    sys.exit(code if isinstance(code, int) else 0)


def _explain(problem: BaseException) -> int:
    """Say on stderr what went wrong, and return the exit code."""
    if isinstance(problem, SystemExit):
        return problem.code if isinstance(problem.code, int) else 1
    if isinstance(problem, typer.Abort):
        sys.stderr.write("Aborted.\n")
        return 130
    show = getattr(problem, "show", None)
    if callable(show) and hasattr(problem, "exit_code"):
        show()
        return int(problem.exit_code)
    from mainspring.kernel.errors import MainspringError

    if isinstance(problem, MainspringError):
        sys.stderr.write(f"Error: {problem.message}\n")
        if problem.hint:
            sys.stderr.write(f"Hint: {problem.hint}\n")
        return problem.exit_code
    if isinstance(problem, BrokenPipeError):
        return 1
    import traceback

    traceback.print_exception(problem)
    sys.stderr.write("This is a fault of Mainspring's own: please report it with the lines above.\n")
    return 1

"""A command group for each noun, made of its operations."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import TypeAdapter, ValidationError

from mainspring.kernel.errors import GateFailed, Invalid
from mainspring.kernel.operation import Operation, operations
from mainspring.kernel.runs import Run
from mainspring.surfaces.client import Client, call, is_file, is_secret
from mainspring.surfaces.commands.options import told
from mainspring.surfaces.commands.output import follow, show
from mainspring.surfaces.nouns import Noun

_PLAIN = (str, int, float, bool)
_PLAINLY = {
    "string_pattern_mismatch": "it has another form",
    "extra_forbidden": "there is no such field",
    "missing": "it is missing",
}
"""By type of error, what is said in the place of words that only a programmer understands."""
_RAISES = re.compile(r"(?:^|(?<=\. ))Raises [A-Z].*?\.(?= |$)")
SCOPE = {"environment": "Environment to work in.", "project": "Project to work in."}
"""Options of every command that may as well stand before it."""
BY_HAND: dict[str, tuple[str, ...]] = {"prompt": ("prompt_sync",)}
"""By noun, modules `<noun>_<verb>` whose function `run` is a command beside those of the operations."""

AFTER: dict[tuple[str, str], str] = {("experiment", "run"): "experiment_reports"}
"""By noun and verb, modules with options (`OPTIONS`: name to help) of the command alone, and what is done with them
(`after`) when its run has ended."""


def group(noun: Noun) -> Any:
    """Build the command group of a noun."""
    application = typer.Typer(
        name=noun.name, help=noun.help, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
    )
    service = noun.load()
    for spec in operations(service):
        made = command(noun.name, spec, AFTER.get((noun.name, spec.verb), ""))
        application.command(spec.verb.replace("_", "-"), help=_prose(inspect.getdoc(spec.function) or ""))(made)
    for module in BY_HAND.get(noun.name, ()):
        application.command(module.rpartition("_")[2])(import_module(f"mainspring.surfaces.commands.{module}").run)
    application.callback()(lambda: None)
    built = typer.main.get_command(application)
    built.name = noun.name
    return built


def _prose(text: str) -> str:
    """Return a docstring as a reader of `--help` wants it: without its line breaks, and without what it raises."""
    parts = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n\n".join(part for part in (_RAISES.sub("", part).strip() for part in parts) if part)


def command(noun: str, spec: Operation, after: str = "") -> Callable[..., None]:
    """Build the function of one command: positional parameters are arguments, keyword-only ones options."""
    then = import_module(f"mainspring.surfaces.commands.{after}") if after else None
    signature = spec.signature
    long = signature.return_annotation is Run and spec.status == 202

    faces_of = signature.parameters.items()
    helps = {name: told(noun, spec.verb, name, one, _plain(one.annotation)[1]) for name, one in faces_of}
    scope = [name for name in SCOPE if name not in signature.parameters]

    def run(ctx: typer.Context, as_json: bool, detach: bool = False, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in scope}
        settings = {**(ctx.obj or {}), **{name: value for name, value in chosen.items() if value is not None}}
        own = {name: given.pop(name) for name in (then.OPTIONS if then else ())}
        arguments = {
            name: _value(name, signature.parameters[name].annotation, value, helps[name])
            for name, value in given.items()
            if value is not None
        }
        with connect(settings) as client:
            result = call(client, spec, (), arguments)
            if long and not detach:
                run_id = result.id
                try:
                    result = follow(client, result).result
                except GateFailed:
                    if then:
                        then.after(client, run_id, own)
                    raise
                if then:
                    then.after(client, run_id, own)
            placed = "environment" in signature.parameters and "environment" not in {*arguments, *settings}
            where = " in this environment; --environment names another" if placed else ""
            show(result, as_json=as_json, empty=("Nothing found" if arguments else "Nothing here yet") + where)

    first = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    faces = [first, *(_face(noun, spec.verb, name, one) for name, one in signature.parameters.items())]
    faces += [_path(name, text) for name, text in (then.OPTIONS.items() if then else ())]
    faces += [_text(name, SCOPE[name]) for name in scope]
    faces.append(_flag("as_json", "--json", "Print one JSON document."))
    if long:
        faces.append(_flag("detach", "--detach", "Print the run and do not wait for it."))
    run.__signature__ = inspect.Signature(faces)  # type: ignore[attr-defined]
    run.__annotations__ = {face.name: face.annotation for face in faces}
    return run


def connect(flags: dict[str, str]) -> Client:
    """Connect to the server that the options name."""
    import os

    if "home" in flags:
        os.environ["MAINSPRING_HOME"] = flags["home"]
    url, project, environment = (flags.get(name, "") for name in ("url", "project", "environment"))
    return Client(url, project=project, environment=environment)


def _flag(name: str, option: str, text: str) -> inspect.Parameter:
    kind = Annotated[bool, typer.Option(option, help=text)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=False)


def _path(name: str, text: str) -> inspect.Parameter:
    kind = Annotated[Path | None, typer.Option(help=text, show_default=False)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=None)


def _text(name: str, text: str) -> inspect.Parameter:
    kind = Annotated[str | None, typer.Option(help=text, show_default=False)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=None)


def _face(noun: str, verb: str, name: str, parameter: inspect.Parameter) -> inspect.Parameter:
    """Return a parameter that Typer understands: plain types as they are, anything else as text."""
    if is_secret(parameter.annotation):
        face = _flag(name, f"--{name.replace('_', '-')}-stdin", "Read it from standard input, or ask for it.")
        return face.replace(annotation=Annotated[bool | None, get_args(face.annotation)[1]], default=None)
    kind, form = _plain(parameter.annotation)
    text = told(noun, verb, name, parameter, form)
    required = parameter.default is inspect.Parameter.empty
    optional_kind = kind if required else kind | None
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
        info: Any = typer.Option(help=text or None, show_default=False)
    else:
        info = typer.Argument(help=text or None, show_default=False)
    default = inspect.Parameter.empty if required else None
    annotation = Annotated[optional_kind, info]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _plain(annotation: Any) -> tuple[Any, str]:
    """Return the type to read from the command line, and a word on what it is."""
    base = _base(annotation)
    if is_file(annotation):
        return str, "Path of a file."
    if base in _PLAIN:
        return base, ""
    if base is datetime:
        return str, "A moment, such as 2026-11-23T14:00:00Z."
    if get_origin(base) is Literal:
        return str, "One of: " + ", ".join(str(choice) for choice in get_args(base)) + "."
    if get_origin(base) in (list, tuple, set):
        one, text = _plain(get_args(base)[0])
        if one is str and (_base(get_args(base)[0]) is str or text.startswith("One of")):
            return list[str], f"{text} May be given more than once.".lstrip()
    return str, "JSON, or the path of a JSON or YAML file."


def _base(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _base(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return _base(parts[0]) if len(parts) == 1 else Any
    return annotation


def _value(name: str, annotation: Any, value: Any, words: str = "") -> Any:
    """Turn what stood on the command line into what the operation takes. Raises Invalid, with `words` on it."""
    if is_file(annotation):
        return Path(value)
    if is_secret(annotation):
        value = _asked(name)
    kind, _ = _plain(annotation)
    base = _base(annotation)
    if kind is str and base not in (str, datetime) and get_origin(base) is not Literal:
        value = _document(name, value, plain=annotation is Any, many=get_origin(base) is list)
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as problem:
        errors = ((error["loc"], _PLAINLY.get(error["type"], error["msg"])) for error in problem.errors()[:5])
        wrong = "; ".join(".".join(map(str, place)) + ": " * bool(place) + what for place, what in errors)
        raise Invalid(f"{name.replace('_', '-')} is not valid: {wrong}", hint=f"{words} See --help.".lstrip()) from None


def _asked(name: str) -> str:
    """Return the first line of standard input; a person at a terminal is asked, and what they type is not shown."""
    import sys

    label = name.replace("_", " ")
    return str(typer.prompt(label, hide_input=True)) if sys.stdin.isatty() else sys.stdin.readline().strip()


def _document(name: str, text: str, *, plain: bool = False, many: bool = False) -> Any:
    """Read JSON, or a JSON or YAML file, or `plain` text; of `many` also one, or several with commas between them.

    Raises Invalid with the place of the fault.
    """
    import yaml

    path = Path(text.removeprefix("@"))
    try:
        inline = text.lstrip().startswith(("{", "[", '"'))
        return json.loads(text) if inline else yaml.safe_load(path.read_text())
    except OSError:
        try:
            return json.loads(f"[{text}]" if many else text)
        except ValueError:
            if plain:
                return text
            raise Invalid(f"{name}: {text[:100]} is neither JSON nor a file that can be read.") from None
    except (ValueError, yaml.YAMLError) as problem:
        raise Invalid(f"{name} is not valid JSON or YAML: {problem}", hint="Mend the line that it names.") from None

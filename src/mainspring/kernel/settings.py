"""Settings, declared once as rows. Precedence: flag, environment, ./mainspring.toml, user config, default."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. Its environment variable is MAINSPRING_ and the name in capitals, dots as underscores."""

    name: str
    type: type[str] | type[int] | type[float] | type[bool]
    default: str | int | float | bool
    help: str
    low: float | None = None
    high: float | None = None
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "MAINSPRING_" + self.name.upper().replace(".", "_").replace("-", "_")


SETTINGS: tuple[Setting, ...] = (
    Setting("home", str, "~/.mainspring", "Folder that holds everything of this installation."),
    Setting("host", str, "127.0.0.1", "Address that the server listens on."),
    Setting("port", int, 7070, "Port that the server listens on.", 0, 65535),
    Setting("api.processes", int, 1, "Processes that answer requests on the one port.", 1, 64),
    Setting("fork", bool, True, "Let API and worker share the memory of what they import, where the system can."),
    Setting("drain.seconds", float, 30.0, "How long a stopping server lets running requests finish.", 0, 3600),
    Setting("drain.notice_seconds", float, 0.0, "How long /readyz says so before a stop refuses calls.", 0, 600),
    Setting("drain.idle_seconds", float, 16.0, "How long a reload leaves idle connections open.", 0, 600),
    Setting("project", str, "default", "Project that a client works in."),
    Setting("environment", str, "production", "Environment that a client works in."),
    Setting("url", str, "", "Server that a client talks to; empty: that of the home folder."),
    Setting("api_key", str, "", "Key that a client sends; empty: that of the home folder.", secret=True),
    Setting("models", str, "", "Folder of pulled models; empty: ~/.mainspring/models."),
    Setting("records.url", str, "", "Database: empty for SQLite in the home folder, or postgresql://….", secret=True),
    Setting("files.url", str, "", "Files: empty for a folder in the home folder, or s3://bucket/prefix."),
    Setting("spans.url", str, "", "Spans: empty for SQLite in the home folder, or clickhouse://….", secret=True),
    Setting("capture.content", bool, True, "Store the text of prompts and answers in traces."),
    Setting(
        "traces.unfinished_minutes",
        int,
        60,
        "Minutes after which a span that has not ended is shown as unfinished.",
        1,
        100_000,
    ),
    Setting("capture.redact", bool, False, "Mask personal data in traces before anything is written."),
    Setting("engine.max_loaded", int, 4, "Local models loaded at the same time.", 1, 64),
    Setting("engine.context", int, 2048, "Tokens of context for each request to a local model.", 256, 131072),
    Setting("engine.slots", int, 8, "Requests that a local model answers at the same time.", 1, 256),
    Setting("engine.threads", int, 0, "Threads of a local model; 0: one for each core.", 0, 512),
    Setting("engine.queue", int, 64, "Requests that may wait for a local model before it answers 429.", 0, 100_000),
    Setting("engine.queue_seconds", float, 60.0, "How long a request waits for a local model at most.", 0.1, 86400),
    Setting("engine.keep_alive", float, 900.0, "Seconds that an idle local model stays loaded; -1: for ever.", -1, 1e9),
    Setting(
        "engine.memory", float, 0.8, "Memory for local models: bytes, or up to 1 a share of all; 0: no bound.", 0, 1e15
    ),
    Setting("engine.adapters", int, 8, "Adapters of one base that share one process at most.", 1, 64),
    Setting("engine.cache_mib", int, 256, "Prefix cache of a local model in MiB, beside its slots' own.", 0, 1 << 20),
    Setting("engine.start_seconds", float, 60.0, "How long a local model may take to come up.", 1, 3600),
    Setting("engine.drain_seconds", float, 10.0, "How long a stopping local model may finish its requests.", 0, 3600),
    Setting("upload.max_bytes", int, 4 << 30, "Largest file that may be uploaded.", 1, 1 << 44),
    Setting("body.max_bytes", int, 16 << 20, "Largest body of any other request.", 1024, 1 << 32),
    Setting("otlp.max_bytes", int, 64 << 20, "Largest OTLP request, after decompression.", 1024, 1 << 32),
    Setting("otlp.grpc_port", int, 0, "Port for OTLP over gRPC (extra grpc), such as 4317; 0: none.", 0, 65535),
    Setting("gateway.timeout_seconds", float, 120.0, "Longest time a model may take for one answer.", 1, 86400),
    Setting(
        "targets.allow_private", bool, False, "Let experiments and providers reach loopback and private addresses."
    ),
    Setting(
        "targets.keys", str, "", "Keys for servers that experiments ask: host=VARIABLE pairs, with commas between."
    ),
    Setting("worker.enabled", bool, True, "Run the worker here; one server of an installation must."),
    Setting("worker.concurrency", int, 1, "Runs that the worker executes at the same time.", 1, 64),
    Setting("webhook.allow_private", bool, False, "Let webhooks reach loopback and private addresses."),
    Setting("log.level", str, "info", "debug, info, warning or error."),
    Setting("access_log.enabled", bool, True, "Write a line for each request into logs/access.log."),
    Setting("access_log.format", str, "json", "json, or text: the common log format of web servers."),
    Setting("access_log.max_bytes", int, 64 << 20, "Size at which the access log is set aside.", 1024, 1 << 40),
    Setting("access_log.kept", int, 5, "Access logs set aside that are kept.", 0, 1000),
    Setting("metrics.public", bool, False, "Answer /metrics without a key."),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class Settings(Mapping[str, Any]):
    """The settings in force, with where each came from."""

    def __init__(self, values: Mapping[str, tuple[Any, str]]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def source(self, name: str) -> str:
        """Return where a value came from: flag, a variable's or a file's name, or default."""
        return self._values[name][1]

    @property
    def home(self) -> Path:
        """The home folder, absolute."""
        return Path(self["home"]).expanduser().absolute()

    @property
    def models(self) -> Path:
        """The folder of pulled models, absolute."""
        return Path(self["models"] or "~/.mainspring/models").expanduser().absolute()


def load(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Gather the settings. Raises Invalid for an unknown name or a value of the wrong kind."""
    environ = os.environ if environ is None else environ
    layers: list[tuple[str, Mapping[str, Any]]] = [("flag", {k: v for k, v in (flags or {}).items() if v is not None})]
    project = (folder or Path.cwd()) / "mainspring.toml"
    user = Path(environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser() / "mainspring" / "config.toml"
    files = [(str(path), _read(path)) for path in (project, user)]
    for source, layer in [*layers, *files]:
        for name in layer:
            if name not in _BY_NAME:
                raise Invalid(f"'{name}' ({source}) is not a setting.", hint="`mainspring config show` lists them.")
    values: dict[str, tuple[Any, str]] = {}
    for setting in SETTINGS:
        value, source = setting.default, "default"
        if setting.name in layers[0][1]:
            value, source = layers[0][1][setting.name], "flag"
        elif setting.variable in environ:
            value, source = environ[setting.variable], setting.variable
        else:
            for path, layer in files:
                if setting.name in layer:
                    value, source = layer[setting.name], path
                    break
        values[setting.name] = (_convert(setting, value, source), source)
    return Settings(values)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not valid TOML: {error}", hint="Mend the line that it names.") from None
    flat: dict[str, Any] = {}
    for name, value in document.items():
        flat |= {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _convert(setting: Setting, value: Any, source: str) -> Any:
    problem = f"{setting.name} is {'not valid' if setting.secret else repr(value)} ({source})"
    if setting.type is bool:
        word = str(value).lower()
        if word not in _TRUE | _FALSE:
            raise Invalid(f"{problem}.", hint="Say true or false.")
        return word in _TRUE
    try:
        converted = setting.type(value)
    except (TypeError, ValueError):
        raise Invalid(f"{problem}.", hint=f"It takes a value of type {setting.type.__name__}.") from None
    if isinstance(converted, int | float):
        low, high = setting.low, setting.high
        if (low is not None and not converted >= low) or (high is not None and not converted <= high):
            raise Invalid(f"{problem}.", hint=f"It takes a value from {low:g} to {high:g}.")
    return converted

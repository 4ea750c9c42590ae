"""The typed client: the services themselves, with HTTP in between.

client = Client()                       # reads the credentials that the first start wrote
version = client.prompt.commit("greet", [...])
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args, get_origin
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from mainspring import __version__
from mainspring.kernel import settings
from mainspring.kernel.errors import (
    Conflict,
    GateFailed,
    Invalid,
    MainspringError,
    NotFound,
    TooLarge,
    Unavailable,
    Unreachable,
    from_dict,
)
from mainspring.kernel.operation import Operation, operations, streamed
from mainspring.kernel.records import FileMarker, Page, SecretMarker
from mainspring.kernel.runs import FINISHED, Run
from mainspring.surfaces.nouns import NOUNS
from mainspring.surfaces.prompt_cache import CachedPrompts

if TYPE_CHECKING:
    from mainspring.data.service import Datasets, Profiles, Recipes
    from mainspring.evals.prompts import Prompts
    from mainspring.evals.scorer_service import Scorers
    from mainspring.evals.service import Experiments, Suites
    from mainspring.governance.service import Audits, Lineages, Releases
    from mainspring.monitoring.service import Alerts, Channels, Drifts, Monitors
    from mainspring.registry.service import Models
    from mainspring.serving.engine_service import Engines
    from mainspring.serving.guard_hits import Guards
    from mainspring.serving.metering.service import Budgets, Limits, Usages
    from mainspring.serving.service import Deployments
    from mainspring.traces.capture_service import Captures, Retentions
    from mainspring.traces.comments import Comments
    from mainspring.traces.price_service import Prices
    from mainspring.traces.service import Scores, Traces
    from mainspring.traces.session_service import Sessions, Users
    from mainspring.tuning.service import Runs, Tunes
    from mainspring.workspace.key_service import Keys
    from mainspring.workspace.service import Environments, Members, Projects
    from mainspring.workspace.views import Views

__all__ = ["Client", "Conflict", "GateFailed", "Invalid", "MainspringError", "NotFound", "TooLarge", "Unavailable"]


def credentials(config: settings.Settings) -> tuple[str, str, str]:
    """Return URL, API key and project: from the settings, else from credentials.json in the home folder."""
    url, key, project = str(config["url"]), str(config["api_key"]), str(config["project"])
    path = config.home / "credentials.json"
    if not (url and key) and path.is_file():
        held = json.loads(path.read_text())
        url, key = url or held["url"], key or held["api_key"]
        project = held["project"] if config.source("project") == "default" else project
    if not key:
        raise Invalid(
            "There is no API key to sign in with.",
            hint=f"Run `mainspring up`, which writes {path}, or set MAINSPRING_URL and MAINSPRING_API_KEY.",
        )
    return url or f"http://{config['host']}:{config['port']}", key, project


class Client:
    """A connection to a server. Close it, or use it as a context manager."""

    project: Projects
    environment: Environments
    member: Members
    view: Views
    key: Keys
    dataset: Datasets
    profile: Profiles
    recipe: Recipes
    prompt: Prompts
    scorer: Scorers
    suite: Suites
    experiment: Experiments
    model: Models
    tune: Tunes
    run: Runs
    release: Releases
    lineage: Lineages
    audit: Audits
    deployment: Deployments
    engine: Engines
    limit: Limits
    budget: Budgets
    usage: Usages
    guard: Guards
    trace: Traces
    session: Sessions
    user: Users
    comment: Comments
    score: Scores
    price: Prices
    capture: Captures
    retention: Retentions
    monitor: Monitors
    alert: Alerts
    channel: Channels
    drift: Drifts

    def __init__(
        self,
        url: str = "",
        api_key: str = "",
        project: str = "",
        *,
        environment: str = "",
        timeout: float = 120.0,
        prompt_ttl: float = 0.0,
    ) -> None:
        """Connect; `prompt_ttl` is for how many seconds `prompt.get` may answer from memory."""
        flags = {"url": url or None, "api_key": api_key or None, "project": project or None}
        config = settings.load(flags)
        self.url, self.api_key, self.project_name = credentials(config)
        headers = {
            "Authorization": f"Bearer {self.api_key}",
            "X-Mainspring-Project": self.project_name,
            "User-Agent": f"mainspring-client/{__version__}",
        }
        if environment:
            headers["X-Mainspring-Environment"] = environment
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)
        for noun in NOUNS:
            setattr(self, noun.name, Remote(self, noun.name))
        scope = (self.url, self.project_name, environment, self.api_key)
        kept = CachedPrompts(self.prompt, config.home / "cache" / "prompts", scope, prompt_ttl)
        self.prompt = cast("Prompts", kept)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Send a request. Raises the error that the server answers with, or Unreachable."""
        try:
            reply = self._http.request(method, path, **how)
        except ValueError as problem:
            if "JSON compliant" not in str(problem):
                raise
            raise Invalid("A number that is to be sent is not finite (NaN or infinity).") from None
        except httpx.TimeoutException:
            raise Unavailable(f"{self.url} took too long to answer.", hint="Try again, or raise the timeout.") from None
        except httpx.TransportError as problem:
            hint = "Start it with `mainspring up`, or set MAINSPRING_URL."
            raise Unreachable(f"No server answers at {self.url} ({problem}).", hint=hint) from None
        if reply.is_error:
            try:
                body = reply.json()
            except ValueError:
                body = {}
            raise from_dict(body if isinstance(body, dict) else {}, reply.status_code)
        return reply

    @contextmanager
    def stream(self, path: str, query: Mapping[str, Any]) -> Iterator[httpx.Response]:
        """Open a streamed answer. Raises the error that the server answers with, or Unreachable."""
        try:
            with self._http.stream("GET", path, params=dict(query), timeout=None) as reply:
                if reply.is_error:
                    reply.read()
                    raise from_dict(reply.json(), reply.status_code)
                yield reply
        except httpx.TransportError as problem:
            raise Unreachable(f"The answer of {self.url} broke off ({problem}).", hint="Ask again.") from None

    def upload(self, source: Path | bytes) -> str:
        """Store a file; return its SHA-256. Raises Invalid where the path is no file, TooLarge, NoSpace."""
        if isinstance(source, bytes):
            return str(self.request("POST", "/api/v1/files", content=source, timeout=None).json()["sha256"])
        if source.is_dir():
            return self._upload_folder(source)
        if not source.is_file():
            raise Invalid(f"{source} is not a file.", hint="Give the path of a file that can be read.")

        def chunks() -> Iterator[bytes]:
            with source.open("rb") as file:
                while part := file.read(1 << 20):
                    yield part

        return str(self.request("POST", "/api/v1/files", content=chunks(), timeout=None).json()["sha256"])

    def _upload_folder(self, source: Path) -> str:
        """Store the files that lie in a folder, without those in folders of it, as one zip archive."""
        import tempfile
        import zipfile

        with tempfile.NamedTemporaryFile(prefix="mainspring-", suffix=".zip") as draft:
            with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for path in sorted(source.iterdir()):
                    if path.is_file():
                        archive.write(path, path.name)
            return self.upload(Path(draft.name))

    def download(self, sha256: str, target: Path) -> int:
        """Fetch a stored file into `target`; return its size in bytes. Nothing half-written is left."""
        draft = target.with_name(target.name + ".part")
        with self._http.stream("GET", f"/api/v1/files/{sha256}", timeout=None) as reply:
            if reply.is_error:
                reply.read()
                raise from_dict(reply.json(), reply.status_code)
            with draft.open("wb") as file:
                for part in reply.iter_bytes(1 << 20):
                    file.write(part)
        draft.replace(target)
        return target.stat().st_size

    def wait(self, run: Run | str, on_progress: Callable[[Run], None] | None = None, poll: float = 0.4) -> Run:
        """Wait for a run to finish and return it. Raises its error where it failed or was cancelled."""
        run_id = run if isinstance(run, str) else run.id
        while True:
            current: Run = self.run.get(run_id)
            if on_progress is not None:
                on_progress(current)
            if current.state in FINISHED:
                break
            time.sleep(poll)  # the server is asked again; it cannot call the client
        if current.state != "succeeded":
            problem = current.error or {"code": "cancelled", "message": f"Run {run_id} was cancelled.", "hint": ""}
            raise from_dict({"error": problem}, 409)
        return current


class Remote:
    """A service on the other side: its operations as methods of the same names and types."""

    def __init__(self, client: Client, noun: str) -> None:
        self._client = client
        self._noun = next(known for known in NOUNS if known.name == noun)
        self._specs: dict[str, Operation] | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._specs is None:
            self._specs = {spec.verb: spec for spec in operations(self._noun.load())}
        spec = self._specs.get(name.rstrip("_"))
        if spec is None:
            raise AttributeError(f"{self._noun.name} has no {name}; it has {', '.join(sorted(self._specs))}")
        return lambda *args, **kwargs: call(self._client, spec, args, kwargs)


def call(client: Client, spec: Operation, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Send one operation and return its result, typed."""
    signature = spec.signature
    try:
        given = dict(signature.bind(*args, **kwargs).arguments)
    except TypeError as problem:
        raise Invalid(f"{spec.verb}: {problem}.", hint=f"It takes {signature}.") from None
    path, rest = spec.path, {}
    for name, value in given.items():
        annotation = signature.parameters[name].annotation
        if is_file(annotation) and isinstance(value, Path | bytes):
            value = client.upload(value)  # noqa: PLW2901
        plain = TypeAdapter(annotation).dump_python(value, mode="json", warnings=False)
        if name in spec.path_parameters:
            path = path.replace(f"{{{name}}}", quote(str(plain), safe=""))
            path = path.replace(f"{{{name}:path}}", quote(str(plain), safe="/"))
        else:
            rest[name] = plain
    kind = signature.return_annotation
    if spec.method in ("GET", "DELETE"):
        query = {name: value for name, value in rest.items() if value is not None}
        if item := streamed(kind):
            return _lines(client, f"/api/v1{path}", query, TypeAdapter(item))
        reply = client.request(spec.method, f"/api/v1{path}", params=query)
    else:
        reply = client.request(spec.method, f"/api/v1{path}", json=rest)
    return None if kind is None else TypeAdapter(kind).validate_python(reply.json())


def _lines(client: Client, path: str, query: Mapping[str, Any], kind: TypeAdapter[Any]) -> Iterator[Any]:
    """Yield the items of a stream as they come. Raises what the server answers, or Unreachable where it breaks off."""
    with client.stream(path, query) as reply:
        for line in reply.iter_lines():
            yield kind.validate_json(line)


def is_file(annotation: Any) -> bool:
    """Tell whether a parameter takes the address of a stored file."""
    return _marked(annotation, FileMarker)


def is_secret(annotation: Any) -> bool:
    """Tell whether a parameter takes a secret."""
    return _marked(annotation, SecretMarker)


def _marked(annotation: Any, kind: type) -> bool:
    if get_origin(annotation) is Annotated:
        return any(isinstance(mark, kind) or mark is kind for mark in get_args(annotation)[1:])
    return any(_marked(part, kind) for part in get_args(annotation))


def pages(listing: Callable[..., Page[Any]], *args: Any, **kwargs: Any) -> Iterator[Any]:
    """Yield every item of a paged list: `pages(client.trace.list, environment="production")`."""
    cursor: str | None = ""
    while cursor is not None:
        page = listing(*args, cursor=cursor, **kwargs)
        yield from page.items
        cursor = page.next_cursor

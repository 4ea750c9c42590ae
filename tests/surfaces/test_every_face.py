"""Every route, command and tool: named permission, summary, audited writes, and shut to whoever has no key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from httpx import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from mainspring.kernel import access
from mainspring.kernel.access import ROLES
from mainspring.kernel.errors import Unavailable
from mainspring.kernel.operation import Operation, operations
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import Endpoint, EngineSpec, EngineState
from mainspring.surfaces.admission import OPEN, Guarded
from mainspring.surfaces.app import build_app
from mainspring.surfaces.cli import TOP, load_command
from mainspring.surfaces.mcp import tools
from mainspring.surfaces.nouns import NOUNS
from mainspring.workspace import Keys, Members, authenticate, first_start

NEVER_TOOLS = re.compile(r"approve|reject|secret|key|erasure|member|rotate|revoke")
DRY = {"monitor test"}
"""Operations that ask for a right to write and yet write nothing."""
OPERATIONS = [(noun.name, spec) for noun in NOUNS for spec in operations(noun.load())]


def named(item: tuple[str, Operation]) -> str:
    return f"{item[0]} {item[1].verb}"


class NoEngines:
    """An engine that serves no model."""

    def ensure(self, spec: EngineSpec) -> Endpoint:
        raise Unavailable("No model is served here.")

    def stop(self, spec: EngineSpec) -> bool:
        return False

    def list(self) -> list[EngineState]:
        return []


@pytest.fixture
def app(bare_platform: Platform) -> Guarded:
    bare_platform.engine_port = NoEngines()
    return build_app(bare_platform, dict)


def walk(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount):
            inner = list(getattr(route.app, "routes", []))
            if inner:
                yield from walk(inner, prefix + route.path)
        elif isinstance(route, Route):
            for method in sorted((route.methods or {"GET", "POST"}) - {"HEAD"}):
                yield method, prefix + re.sub(r"{[^}]+}", "x", route.path)
        else:
            raise AssertionError(f"{route!r} is of a kind that this test does not know")


def test_no_route_answers_without_a_key_but_the_few_that_are_open(app: Guarded) -> None:
    found = list(walk(list(app.app.routes)))
    assert len(found) > len(OPERATIONS)
    with TestClient(app) as client:
        answered = {
            (method, path)
            for method, path in found
            if (method, path) not in OPEN and client.request(method, path, json={}).status_code != 401
        }
    assert {
        (method, path) for method, path in answered if path.startswith(("/api", "/v1", "/mcp", "/metrics"))
    } == set()
    assert {method for method, _ in answered} <= {"GET"}


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer ms_x", "Bearer ms_x_y", "Basic YTpi", "Bearer ms_' OR 1=1 --_x", "Bearer \xff\xfe"],
)
def test_a_key_that_is_none_opens_nothing(app: Guarded, header: str) -> None:
    with TestClient(app) as client:
        reply = client.get("/api/v1/whoami", headers={"Authorization": header.encode("latin-1")})
    assert reply.status_code == 401
    assert reply.json()["error"]["hint"]


def test_a_refusal_at_the_door_has_the_shape_of_the_protocol(app: Guarded) -> None:
    with TestClient(app) as client:
        ours, theirs, own = (client.post(f"/{path}", json={}).json() for path in ("v1/responses", "v1/messages", "mcp"))
    assert ours["error"]["type"] == theirs["error"]["type"] == "authentication_error"
    assert (theirs["type"], own["error"]["code"]) == ("error", "unauthenticated")


def test_the_owners_key_opens_the_api(app: Guarded, bare_platform: Platform) -> None:
    made = first_start(bare_platform)
    assert made is not None
    with TestClient(app, headers={"Authorization": f"Bearer {made.secret}"}) as client:
        assert client.get("/api/v1/whoami").json()["role"] == "admin"
        for method, path in walk(list(app.app.routes)):
            if method == "GET" and path.startswith("/api/v1/") and (method, path) not in OPEN:
                assert client.get(path).status_code not in (401, 403, 500), path


def test_signing_in_is_refused_from_another_site(app: Guarded, bare_platform: Platform) -> None:
    made = first_start(bare_platform)
    assert made is not None
    with TestClient(app) as client:

        def sign_in(origin: str) -> Response:
            return client.post("/api/v1/session", json={"api_key": made.secret}, headers={"Origin": origin})

        for origin in ("http://evil.example", "null", "http://testserver.evil.example"):
            reply = sign_in(origin)
            assert (reply.status_code, "set-cookie" in reply.headers) == (403, False)
        assert "secure" not in sign_in("http://testserver").headers["set-cookie"].lower()
        assert "secure" in sign_in("https://testserver").headers["set-cookie"].lower()


def test_json_that_is_too_deep_is_refused(app: Guarded, bare_platform: Platform) -> None:
    made = first_start(bare_platform)
    assert made is not None
    deep = b"[" * 200_000
    with TestClient(app, headers={"Authorization": f"Bearer {made.secret}"}) as client:
        assert client.post("/api/v1/session", content=deep).status_code == 422
        assert client.post("/mcp", content=deep).json()["error"]["code"] == -32700


def test_the_counters_of_all_projects_are_for_an_admin(app: Guarded, bare_platform: Platform) -> None:
    made = first_start(bare_platform)
    assert made is not None
    with access.acting_as(authenticate(bare_platform, made.secret)):
        Members(bare_platform).add("vera", "operator")
        other = Keys(bare_platform).create("vera")
        scraper = Keys(bare_platform).create(permissions=["metrics.export"])
    with TestClient(app) as client:
        codes = [
            client.get("/metrics", headers={"Authorization": f"Bearer {key.secret}"}).status_code
            for key in (made, scraper, other)
        ]
    assert codes == [200, 200, 403]


@pytest.mark.parametrize("item", OPERATIONS, ids=named)
def test_an_operation_names_its_permission_and_says_what_it_does(item: tuple[str, Operation]) -> None:
    _, spec = item
    assert re.fullmatch(r"[a-z]+\.[a-z]+", spec.permission)
    assert spec.summary.endswith(".")
    assert len(spec.summary) > 10
    action = spec.permission.partition(".")[2]
    if spec.method == "GET":
        assert action in ("read", "use", "verify", "export")
    elif not spec.audited:
        assert action in ("read", "use") or named(item) in DRY, "a write that is not audited may only read"
    if action not in ("read", "use"):
        assert spec.permission not in ROLES["viewer"]


def test_no_two_operations_share_a_route() -> None:
    seen: dict[tuple[str, str], str] = {}
    for name, spec in OPERATIONS:
        place = (spec.method, re.sub(r"{[^}]+}", "{}", spec.path))
        assert place not in seen, f"{name} {spec.verb} and {seen[place]} share {place}"
        seen[place] = f"{name} {spec.verb}"


@pytest.mark.parametrize("item", OPERATIONS, ids=named)
def test_every_operation_is_a_command(item: tuple[str, Operation]) -> None:
    noun, spec = item
    group = load_command(noun)
    command = group.commands[spec.verb.replace("_", "-")]
    assert command.help


@pytest.mark.parametrize("name", sorted(TOP))
def test_every_command_made_by_hand_is_there(name: str) -> None:
    command = load_command(name)
    assert command.help or getattr(command, "commands", None)


def test_tools_read_and_propose_but_never_approve_or_show_secrets() -> None:
    found = tools()
    assert len(found) > 10
    for name, (_, spec, _) in found.items():
        assert not NEVER_TOOLS.search(name.partition("_")[2]), name
        assert not name.startswith(("key_", "member_")), name
        assert spec.permission

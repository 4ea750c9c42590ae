"""A file belongs to the projects that stored it: knowing its hash opens nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
from httpx import Response
from starlette.testclient import TestClient
from tests.surfaces.test_every_face import NoEngines

from mainspring.data.service import Datasets
from mainspring.kernel import access
from mainspring.kernel.errors import NotFound
from mainspring.kernel.platform import Platform
from mainspring.registry import Models, keep_file
from mainspring.surfaces.app import build_app
from mainspring.workspace import Projects, authenticate, first_start

ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
UNKNOWN = hashlib.sha256(b"nobody stored this").hexdigest()


@pytest.fixture
def http(bare_platform: Platform) -> Iterator[TestClient]:
    """The server, with a key that is an admin's in the projects `default` and `other`."""
    bare_platform.engine_port = NoEngines()
    made = first_start(bare_platform)
    assert made is not None
    with access.acting_as(authenticate(bare_platform, made.secret)):
        Projects(bare_platform).create("other")
    with TestClient(build_app(bare_platform, dict), headers={"Authorization": f"Bearer {made.secret}"}) as client:
        yield client


def of(project: str) -> dict[str, str]:
    return {"X-Mainspring-Project": project}


def upload(http: TestClient, project: str) -> str:
    return str(http.post("/api/v1/files", content=json.dumps(ROW), headers=of(project)).json()["sha256"])


def said(reply: Response, sha256: str) -> tuple[int, str]:
    return reply.status_code, reply.text.replace(sha256[:12], "HASH")


def test_another_project_can_neither_download_nor_import_it(http: TestClient) -> None:
    sha256 = upload(http, "default")
    assert http.get(f"/api/v1/files/{sha256}", headers=of("default")).json() == ROW
    for known in (sha256, UNKNOWN):
        calls = [http.get(f"/api/v1/files/{known}", headers=of("other"))]
        for kind in ("datasets", "models"):
            calls.append(http.post(f"/api/v1/{kind}/x/import", json={"file": known}, headers=of("other")))
        assert [reply.status_code for reply in calls] == [404, 404, 404]
        assert all("Upload it in this project" in reply.json()["error"]["hint"] for reply in calls)
    # What is said of a file of others is what is said of one that does not exist.
    mine, none = (said(http.get(f"/api/v1/files/{one}", headers=of("other")), one) for one in (sha256, UNKNOWN))
    assert mine == none
    assert http.get("/api/v1/files/nonsense", headers=of("other")).status_code == 422


def test_who_uploads_the_same_bytes_holds_them_too(http: TestClient) -> None:
    sha256 = upload(http, "default")
    assert upload(http, "other") == sha256
    assert http.get(f"/api/v1/files/{sha256}", headers=of("other")).json() == ROW
    assert http.post("/api/v1/datasets/x/import", json={"file": sha256}, headers=of("other")).status_code == 201


def test_what_an_operation_makes_is_its_callers_to_download(http: TestClient) -> None:
    sha256 = upload(http, "default")
    assert http.post("/api/v1/datasets/x/import", json={"file": sha256}, headers=of("default")).status_code == 201
    made = http.post("/api/v1/datasets/x/export", json={}, headers=of("default")).json()["file"]
    assert http.get(f"/api/v1/files/{made}", headers=of("default")).status_code == 200
    assert http.get(f"/api/v1/files/{made}", headers=of("other")).status_code == 404


def test_a_stored_configuration_of_others_is_refused_too(platform: Platform, acting) -> None:  # type: ignore[no-untyped-def]
    theirs = keep_file(platform, b"{}").sha256
    with acting(project="other"):
        mine = keep_file(platform, b"weights").sha256
        with pytest.raises(NotFound, match=theirs[:12]):
            Models(platform).import_("x", mine, base="model/base", config=theirs)
        with pytest.raises(NotFound, match=theirs[:12]):
            Datasets(platform).import_("x", theirs)

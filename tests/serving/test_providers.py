"""Providers: who may be asked, with which key, and what is told of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse
from tests.serving.conftest import Served
from tests.serving.vendor import KEY, Vendor

from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.tables import audit_rows
from mainspring.registry import Models, Providers
from mainspring.registry.tables import providers as table


def test_a_key_is_sealed_and_never_shown(platform: Platform, providers: Providers) -> None:
    shown = [providers.get("acme"), *providers.list_().items, providers.update("acme", note="vendor")]
    assert all(provider.keyed for provider in shown)
    assert KEY not in json.dumps([provider.model_dump(mode="json") for provider in shown])
    with platform.read() as tx:
        stored = [dict(row) for row in tx.execute(select(table)).mappings()]
        audited = [dict(row) for row in tx.execute(select(audit_rows)).mappings()]
    assert KEY not in str(stored) + str(audited)
    assert "[secret]" in str(audited)


def test_a_key_is_bound_to_its_host(providers: Providers, vendor: Vendor) -> None:
    elsewhere = vendor.url.replace("127.0.0.1", "localhost")
    for url in (elsewhere, "https://127.0.0.1", "http://127.0.0.1:9"):
        with pytest.raises(Invalid, match="bound to"):
            providers.update("acme", url=url)
    assert providers.update("acme", url=f"{vendor.url}/v1/other").keyed
    assert providers.update("acme", url=elsewhere, api_key=KEY).url == f"{elsewhere}/v1"
    assert not providers.update("acme", api_key="").keyed
    assert providers.update("acme", url=vendor.url).url == f"{vendor.url}/v1"
    assert not providers.check("acme").ok


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://host/v1", Invalid),
        ("https://user:pass@host/v1", Invalid),
        ("https://host/v1?key=1", Invalid),
        ("http://models.example.org/v1", Denied),
        ("http://169.254.169.254/v1", Denied),
    ],
)
def test_a_place_that_may_not_be_called_is_refused(providers: Providers, url: str, problem: Any) -> None:
    with pytest.raises(problem):
        providers.create("other", url, api_key="k")


def test_inner_addresses_need_a_setting(platform: Platform, vendor: Vendor) -> None:
    with pytest.raises(Denied, match="inner address"):
        Providers(platform).create("acme", vendor.url)
    named = Providers(platform).create("acme", vendor.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(Denied, match="inner address"):
        Providers(platform).check(named.name)
    assert vendor.requests == []


def test_names(providers: Providers) -> None:
    with pytest.raises(Conflict):
        providers.create("acme", "https://models.example.org/v1")
    for name in ("model", "release", "dataset"):
        with pytest.raises(Invalid, match="kind of reference"):
            providers.create(name, "https://models.example.org/v1")
    assert providers.delete("acme") == {"deleted": "acme"}
    for ask in (providers.get, providers.delete, providers.check):
        with pytest.raises(NotFound):
            ask("acme")


@pytest.mark.parametrize("name", ["acme", "anth"])
def test_check_lists_the_models_or_says_what_is_wrong(providers: Providers, vendor: Vendor, name: str) -> None:
    found = providers.check(name)
    assert (found.ok, found.status, found.models) == (True, 200, ["big", "small"])
    wrong = providers.update(name, api_key="stolen-key")
    found = providers.check(wrong.name)
    assert (found.ok, found.status, found.message) == (False, 401, "wrong key [secret]")


def test_a_model_of_a_provider_is_a_version(providers: Providers, platform: Platform) -> None:
    models = Models(platform)
    made = models.connect("gpt", "acme", "big", license="proprietary", context=128_000)
    assert (made.ref, made.format, made.source, made.files) == ("model/gpt@1", "remote", "provider/acme:big", [])
    assert models.connect("gpt", "acme", "big", license="proprietary", context=128_000).existed
    with pytest.raises(NotFound):
        models.connect("gpt", "nobody", "big")
    assert models.verify("gpt").verified


def test_the_command_line_reads_a_key_from_standard_input(tmp_path: Path, vendor_server: Served) -> None:
    bodies = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        bodies.append(await Request(scope, receive).json())
        await JSONResponse({"error": {"code": "denied", "message": "No."}}, 403)(scope, receive, send)

    vendor_server.app = app
    environ = {**os.environ, "MAINSPRING_HOME": str(tmp_path), "MAINSPRING_API_KEY": "ms_1_2"}
    environ["MAINSPRING_URL"] = vendor_server.url
    command = [sys.executable, "-m", "mainspring", "provider", "create", "acme", "https://models.example.org/v1"]
    for flag, status in (("--api-key", 2), ("--api-key-stdin", 4)):
        given: Any = {"input": "s3cret\n", "capture_output": True, "text": True, "env": environ}
        done = subprocess.run([*command, flag], check=False, **given)
        assert done.returncode == status, done.stderr
        assert "s3cret" not in done.stdout + done.stderr
    assert [body["api_key"] for body in bodies] == ["s3cret"]


def test_the_double_speaks_as_the_vendors_do(vendor: Vendor) -> None:
    openai = OpenAI(base_url=f"{vendor.url}/v1", api_key=KEY, max_retries=0)
    asked: Any = {"model": "big", "messages": [{"role": "user", "content": "Hi"}]}
    answer = openai.chat.completions.create(**asked)
    assert (answer.choices[0].message.content, answer.usage.prompt_tokens_details.cached_tokens) == ("Hello there.", 60)
    heard = list(openai.chat.completions.create(**asked, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in heard if c.choices) == "Hello there."
    assert heard[-1].usage.completion_tokens == 40

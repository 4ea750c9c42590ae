"""Prompts and experiments over HTTP."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.evals.conftest import SCHEMA, half_right, right

from mainspring.kernel import access
from mainspring.surfaces.rest import rest_app


@pytest.fixture
def http(platform, questions):
    caller = access.current()
    app = rest_app(platform)

    @app.middleware("http")
    async def sign_in(request: Request, proceed):
        request.state.caller = caller
        return await proceed(request)

    return TestClient(app)


def test_a_prompt_goes_over_the_wire_whole(http):
    ask = [{"role": "user", "content": "{{input}}"}]
    body = {
        "messages": ask,
        "schema": SCHEMA,
        "parameters": {"max_tokens": 9},
        "variables": {"input": {"default": "x"}},
    }
    made = http.post("/prompts/wire/versions", json=body)
    assert made.status_code == 201
    assert made.json()["response_schema"] == SCHEMA
    assert http.put("/prompts/wire/labels/production", json={"selector": "1"}).json()["number"] == 1
    assert http.get("/prompts/wire", params={"selector": "production"}).json()["labels"] == ["production"]
    shown = http.post("/prompts/wire/render", json={"variables": {"input": "hello"}})
    assert shown.json()["messages"] == [{"role": "user", "content": "hello"}]
    http.post("/prompts/strict/versions", json={"messages": [{"role": "user", "content": "{{name}}"}]})
    missing = http.post("/prompts/strict/render", json={})
    assert (missing.status_code, missing.json()["error"]["code"]) == (422, "invalid")
    assert "'name'" in missing.json()["error"]["message"]


def test_experiments_are_run_and_compared_over_the_wire(http, target):
    body = {"dataset": "dataset/docs", "prompt": "prompt/describe", "scorers": ["json", "bleu"], "limit": 40}
    target.answer = half_right
    before = http.post("/experiments", json={**body, "target": "model/base", "name": "before"})
    target.answer = right
    after = http.post("/experiments", json={**body, "target": "model/tuned", "name": "after"})
    assert (before.status_code, after.status_code) == (202, 202)
    assert after.json()["state"] == "succeeded"
    asked = {"baseline": "before", "candidate": "after", "metrics": ["json", "bleu"]}
    found = http.get("/experiments/compare", params=asked).json()
    assert [metric["verdict"] for metric in found["metrics"]] == ["better", "better"]
    rows = http.get(f"/experiments/{after.json()['id']}/rows", params={"limit": 3}).json()
    assert len(rows["items"]) == 3
    assert rows["next_cursor"]
    assert http.get("/experiments/none").status_code == 404
    assert "rougeL" in {scorer["name"] for scorer in http.get("/scorers").json()}

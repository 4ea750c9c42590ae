"""What the OpenAPI document says of the gateway is what the gateway answers."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema
import pytest

from mainspring.kernel.platform import Platform
from mainspring.serving.gateway import Gateway
from mainspring.surfaces.rest import rest_app

DOCUMENT = rest_app(None).openapi()
HI: Any = [{"role": "user", "content": "Say hi"}]


def fits(schema: dict[str, Any], value: Any) -> None:
    validator = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    validator.validate(value)


def test_every_route_of_the_gateway_is_described(platform: Platform, fixed_engine: Any) -> None:
    routes = {
        (route.path.replace(":path", ""), method) for route in Gateway(platform).routes() for method in route.methods
    }  # type: ignore[attr-defined]
    described = {
        (path, method.upper())
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
        if path.startswith("/v1/") and method != "servers"
    }
    assert {(path, method) for path, method in routes if method != "HEAD"} <= described
    assert {"/healthz", "/readyz", "/metrics", "/v1/traces"} <= set(DOCUMENT["paths"])
    assert DOCUMENT["security"] and set(DOCUMENT["components"]["securitySchemes"]) == {"bearer", "key"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": HI}),
        ("/v1/completions", {"prompt": "Once"}),
        ("/v1/responses", {"input": "Say hi"}),
        ("/v1/messages", {"messages": HI, "max_tokens": 5}),
    ],
)
def test_answers_and_errors_fit_their_description(
    gateway_url: str, small_model: str, path: str, body: dict[str, Any]
) -> None:
    said = DOCUMENT["paths"][path]["post"]
    sent = {"model": small_model, **body}
    fits(said["requestBody"]["content"]["application/json"]["schema"], sent)
    head = {"Authorization": "Bearer ann"}
    reply = httpx.post(gateway_url + path, json=sent, headers=head, timeout=60)
    assert reply.status_code == 200, reply.text
    fits(said["responses"]["200"]["content"]["application/json"]["schema"], reply.json())
    assert set(reply.headers) >= {"x-mainspring-trace-id", "x-mainspring-model"}
    failed = httpx.post(gateway_url + path, json={"model": "nowhere", **body}, headers=head, timeout=60)
    assert failed.status_code == 404
    fits(said["responses"]["4XX"]["content"]["application/json"]["schema"], failed.json())


def test_the_list_of_models_fits_its_description(gateway_url: str, small_model: str) -> None:
    found = httpx.get(f"{gateway_url}/v1/models", headers={"Authorization": "Bearer ann"}, timeout=60).json()
    fits({"$ref": "#/components/schemas/ServedModels"}, found)
    assert small_model.partition("@")[0] in str(found)

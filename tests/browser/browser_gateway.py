"""The gateway of the pages: providers, keys, members, budgets, prices, guards, engines, and a month of usage."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from mainspring.kernel.platform import Platform

LOCAL, REMOTE = "model/docs-lora@1", "model/vendor@1"


def make_gateway(platform: Platform) -> dict[str, str]:
    """Fill what the gateway's pages show; return the ids of a key, a budget and a limit."""
    from mainspring.registry.service import Models
    from mainspring.workspace.key_service import Keys
    from mainspring.workspace.service import Members

    _providers(platform)
    Models(platform).connect("vendor", "acme", "org/assistant-large", license="proprietary")
    members = Members(platform)
    for name, role in (("bea", "admin"), ("grace", "developer"), ("otto", "operator"), ("vera", "viewer")):
        members.add(name, role, email=f"{name}@example.org" if name != "vera" else "")  # type: ignore[arg-type]
    keys = Keys(platform)
    site = keys.create("grace", note="the documentation site", permissions=["deployment.use"], models=["docs", "help"])
    batch = keys.create("otto", note="nightly batch", expires_hours=24 * 30)
    old = keys.create("grace", note="last year's laptop")
    keys.revoke(old.id)
    _usage(platform, {"grace": site.id, "otto": batch.id})
    _prices(platform)
    budget, limit = _allowances(platform, site.id)
    _guards(platform)
    _engines(platform)
    return {"key": site.id, "old_key": old.id, "budget": budget, "limit": limit}


def _providers(platform: Platform) -> None:
    from mainspring.registry.provider_service import Providers

    service = Providers(platform)
    service.create(
        "acme", "https://models.example.org/v1", api_key="sk-not-a-real-key", note="the vendor under contract"
    )
    service.create("claude", "https://api.example.com", kind="anthropic", api_key="sk-nor-this-one")


def _usage(platform: Platform, keys: dict[str, str]) -> None:
    from mainspring.serving.metering.tables import usage_hours

    draw, rows = random.Random(11), []
    with platform.begin() as tx:
        start = tx.now.replace(minute=0, second=0, microsecond=0)
        for days in range(28):
            for member, model, deployment, provider in (
                ("grace", LOCAL, "docs", ""), ("grace", REMOTE, "help", "acme"), ("otto", REMOTE, "", "acme"),
            ):  # fmt: skip
                many = int(draw.gammavariate(2, 60)) * (1 if days % 7 else 2)
                tokens = many * draw.randrange(300, 900)
                rows.append({
                    "project": tx.project, "hour": start - timedelta(days=days), "environment": "production",
                    "key_id": keys[member], "member": member, "deployment": deployment, "model": model,
                    "provider": provider, "requests": many, "estimated": many // 90,
                    "unpriced": many if not provider and days > 20 else 0, "input_tokens": tokens,
                    "output_tokens": tokens // 5, "cached_tokens": tokens // 3, "hits": many // 8,
                    "saved": tokens * 90,
                    "cost": tokens * (2400 if provider else 900),
                })  # fmt: skip
        tx.execute(insert(usage_hours), rows)


def _prices(platform: Platform) -> None:
    from mainspring.traces.price_service import Prices

    service = Prices(platform)
    with platform.read() as tx:
        before = tx.now - timedelta(days=40)
    service.set("org/assistant-*", input_per_million=3.0, output_per_million=15.0, holds_from=before)
    service.set("org/assistant-*", input_per_million=2.5, output_per_million=10.0, cached_per_million=0.25)
    service.set(LOCAL, input_per_million=0.03, output_per_million=0.06)


def _allowances(platform: Platform, key: str) -> tuple[str, str]:
    from mainspring.serving.metering.service import Budgets, Limits
    from mainspring.serving.metering.tables import windows
    from mainspring.serving.metering.windows import Per, window_start

    budgets, limits = Budgets(platform), Limits(platform)
    whole = budgets.set(500, per="month")
    mine = budgets.set(20, per="day", key=key)
    spent = budgets.set(5, per="month", member="otto")
    calls = limits.set(600, per="minute")
    tokens = limits.set(200_000, measure="tokens", per="day", member="grace")
    used: list[tuple[str, Per, int, int]] = [
        (whole.id, "month", 212_400_000_000, 1_500_000_000),
        (mine.id, "day", 17_310_000_000, 400_000_000),
        (spent.id, "month", 5_000_000_000, 0),
        (calls.id, "minute", 12, 40),
        (tokens.id, "day", 61_000, 8_192),
    ]
    with platform.begin() as tx:
        for id, per, gone, held in used:
            row = {"allowance": id, "starts": window_start(tx.now, per), "spent": gone, "leased": held, "told": 0}
            tx.execute(insert(windows).values(**row))
    return mine.id, tokens.id


def _guards(platform: Platform) -> None:
    from mainspring.safety.models import Rule
    from mainspring.safety.service import Guards

    rules = [
        Rule(detector="pii", action="mask", kinds=["email", "card"]),
        Rule(detector="secrets", action="block", on="output"),
        Rule(detector="injection", action="block", on="input", threshold=0.8),
        Rule(detector="terms", action="log", terms=["Project Falcon", "layoffs"]),
    ]
    service = Guards(platform)
    service.create("strict", rules[:2], note="first")
    service.create("strict", rules, note="with injection and names of projects")


def _engines(platform: Platform) -> None:
    from mainspring.registry.service import Models

    base, adapter = (Models(platform).get(name).files[0].sha256 for name in ("smollm2", "docs-lora"))
    engine: Any = platform.engine_port
    engine.loaded = [(base, ""), (base, adapter)]


def make_routes(platform: Platform) -> None:
    """Route two names over providers and a local model; keep the answers of a deployment and of a route in staging."""
    from mainspring.serving.cache.service import Caches
    from mainspring.serving.routing.models import Candidate, Condition, RouteRule
    from mainspring.serving.routing.service import Routes

    candidates = [Candidate(target="acme/org/assistant-large", weight=3), Candidate(target="model/smollm2@1")]
    rule = RouteRule(when=[Condition(of="tag", equals="draft")], candidates=["model/smollm2@1"])
    Routes(platform).create("chat", candidates, policy="weighted", sticky="user", rules=[rule], note="first")
    Routes(platform).update("chat", pin="model/smollm2@1", note="while the vendor is slow")
    Caches(platform).set("search", mode="semantic", threshold=0.95, ttl_seconds=600)
    Caches(platform).set("chat")

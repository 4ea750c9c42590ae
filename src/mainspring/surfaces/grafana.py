"""A dashboard for Grafana over the metrics that this version exports."""

from __future__ import annotations

from typing import Any, NamedTuple

from mainspring.serving.totals import PREFIX

_WHERE = '{environment=~"$environment",deployment=~"$deployment",model_name=~"$model"}'
_RATE = "[$__rate_interval]"


class Panel(NamedTuple):
    """A panel: its title, its unit in Grafana's words, and queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    width: int = 12
    kind: str = "timeseries"


def _rate(name: str, by: str = "", where: str = _WHERE) -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({PREFIX}{name}{where}{_RATE}))"


def _share(part: str, whole: str, by: str = "") -> str:
    return f"{part} / {_rate(whole, by)}"


def _quantiles(name: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"histogram_quantile({q}, {_rate(f'{name}_bucket', 'le, deployment')})", f"{{{{deployment}}}} {q:.0%}")
        for q in (0.5, 0.95, 0.99)
    )


def _failed(by: str = "") -> str:
    return _rate("requests_total", by, _WHERE.replace("}", ',outcome="error"}'))


_COST_BY_MODEL = f"{_rate('cost_dollars_total', 'model_name')} * 3600"
PANELS: tuple[Panel, ...] = (
    Panel("Requests a second", "reqps", ((_rate("requests_total"), "all"),), 6, "stat"),
    Panel("Share of errors", "percentunit", ((_share(_failed(), "requests_total"), "all"),), 6, "stat"),
    Panel("Dollars an hour", "currencyUSD", ((f"{_rate('cost_dollars_total')} * 3600", "all"),), 6, "stat"),
    Panel("Running now", "short", ((f"sum ({PREFIX}num_requests_running)", "running"),), 6, "stat"),
    Panel("Requests by model", "reqps", ((_rate("requests_total", "model_name"), "{{model_name}}"),)),
    Panel("How calls end", "reqps", ((_rate("requests_total", "outcome"), "{{outcome}}"),)),
    Panel("Errors by code", "reqps", ((_rate("request_errors_total", "code"), "{{code}}"),)),
    Panel(
        "Attempts after which another candidate was asked",
        "reqps",
        ((_rate("failed_attempts_total", "provider, code"), "{{provider}} {{code}}"),),
    ),
    Panel("Latency", "s", _quantiles("e2e_request_latency_seconds")),
    Panel("Time to the first token", "s", _quantiles("time_to_first_token_seconds")),
    Panel("Time between tokens", "s", _quantiles("inter_token_latency_seconds")),
    Panel(
        "Tokens a second",
        "short",
        (
            (_rate("prompt_tokens_total"), "in"),
            (_rate("prompt_tokens_cached_total"), "in, from a cache"),
            (_rate("generation_tokens_total"), "out"),
        ),
    ),
    Panel(
        "Dollars an hour by model",
        "currencyUSD",
        ((f"{_rate('cost_dollars_total', 'model_name')} * 3600", "{{model_name}}"),),
    ),
    Panel("What guards did", "reqps", ((_rate("guard_calls_total", "guard, action", ""), "{{guard}} {{action}}"),)),
    Panel(
        "What guards found",
        "reqps",
        ((_rate("guard_hits_total", "detector, stage", ""), "{{detector}} in the {{stage}}"),),
    ),
    Panel("The answer cache", "reqps", ((_rate("cache_lookups_total", "outcome", ""), "{{outcome}}"),)),
    Panel("Calls refused by limits and budgets", "reqps", ((_rate("limit_refusals_total", "kind"), "{{kind}}"),)),
    Panel("Scores of the last hour", "short", ((f"avg by (name) ({PREFIX}score_mean)", "{{name}}"),)),
    Panel(
        "Calls that run and wait",
        "short",
        ((f"sum ({PREFIX}num_requests_running)", "running"), (f"sum ({PREFIX}num_requests_waiting)", "waiting")),
    ),
    Panel("Spans that wait to be indexed", "short", ((f"max ({PREFIX}spans_pending)", "pending"),)),
    Panel("Runs", "short", ((f"sum by (state) ({PREFIX}runs)", "{{state}}"),)),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it; it asks for a Prometheus data source then."""
    panels, at, line = [], 0, 0
    for number, panel in enumerate(PANELS, 1):
        high = 4 if panel.kind == "stat" else 8
        if at + panel.width > 24:
            at, line = 0, line + 8
        panels.append(_panel(number, panel, {"x": at, "y": line, "w": panel.width, "h": high}))
        at += panel.width
        if panel.kind == "stat" and at >= 24:
            at, line = 0, line + high
    return {
        "__inputs": [
            {"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"},
        ],
        "uid": "mainspring",
        "title": "Mainspring",
        "tags": ["mainspring"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_variable(*one) for one in (
            ("environment", "environment"), ("deployment", "deployment"), ("model", "model_name")
        )]},
        "panels": panels,
    }  # fmt: skip


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": source, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }


def _variable(name: str, label: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${DS_PROMETHEUS}"},
        "query": f"label_values({PREFIX}requests_total, {label})",
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }

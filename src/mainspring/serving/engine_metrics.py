"""What local engines tell of themselves; names follow vLLM's where the meaning is the same."""

from __future__ import annotations

from mainspring.kernel.errors import MainspringError
from mainspring.kernel.platform import Platform
from mainspring.serving.totals import Labels, Totals


def add_engines(platform: Platform, found: Totals) -> None:
    """Add the figures of every engine process; nothing where the supervisor does not answer."""
    if platform.engine_port is None:
        return
    try:
        states = platform.engine.list()
    except MainspringError:
        return
    # Adapters of one base that share a process are one engine.
    for state in {(state.spec.base, state.pid): state for state in states if state.pid}.values():
        spec = state.spec
        labels: Labels = (("engine", spec.base[:12]), ("pid", str(state.pid)), ("runtime", spec.runtime))
        found.gauge("engine_num_requests_running", labels, state.running)
        found.gauge("engine_num_requests_waiting", labels, state.waiting)
        found.gauge("engine_kv_cache_usage_perc", labels, state.cache_usage)
        found.gauge("engine_resident_memory_bytes", labels, state.rss_bytes)
        found.count("engine_restarts_total", labels, state.restarts)
        found.count("engine_prompt_tokens_total", labels, state.prompt_tokens)
        found.count("engine_prefix_cache_hits_total", labels, state.cached_tokens)
        found.count("engine_generation_tokens_total", labels, state.generated_tokens)
        found.count("engine_generation_seconds_total", labels, state.generation_seconds)

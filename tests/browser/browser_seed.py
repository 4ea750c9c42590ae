"""A project with something on every page, made through the services themselves."""

from __future__ import annotations

import json
import math
import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from browser_attacks import make_attacks
from browser_experiments import make_more_experiments, make_runs_of_experiments, make_scores_by_people
from browser_explore import make_explored
from browser_gateway import make_gateway
from browser_load import make_load_tests
from browser_queues import make_queues
from browser_rollout import make_canaries, make_staging
from browser_watch import make_watch
from sqlalchemy import update

from mainspring.kernel import access, lineage, runs
from mainspring.kernel.access import ROLES, Caller
from mainspring.kernel.platform import Platform
from mainspring.kernel.ports import ChatReply, ChatRequest
from mainspring.kernel.spans import Span
from mainspring.kernel.tables import runs as run_table
from mainspring.registry import keep_file

KINDS = ("function", "method", "class", "module")
PACKAGES = ("json", "asyncio", "pathlib", "sqlite3")
ANSWER = '{{"summary": "{summary}", "kind": "{kind}", "package": "{package}"}}'


class ScriptedChat:
    """The Chat port: right as often as the model's name says, in JSON, and quick."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers

    def complete(self, request: ChatRequest) -> ChatReply:
        asked = str(request.messages[-1]["content"])
        draw = random.Random(f"{request.model}{asked}").random()
        if request.schema is not None and "step" in request.schema.get("properties", {}):
            step = "pass" if '"package' in asked.replace("\\", "") else "fail"
            reply = {"reason": "It has the form asked for." if step == "pass" else "It is prose.", "step": step}
            return ChatReply(json.dumps(reply), "stop", 140, 20, 0.00003, 210.0, 30.0)
        good = draw < (0.9 if "lora" in request.model or "release" in request.model else 0.3)
        right = next((text for question, text in self.answers.items() if question in asked), "{}")
        text = right if good else "This function does something useful."
        return ChatReply(text=text, finish_reason="stop", input_tokens=60, output_tokens=24, cost=0.00002,
                         latency_ms=180 + 90 * draw, ttft_ms=30.0)  # fmt: skip

    def complete_many(
        self, requests: Sequence[ChatRequest], *, concurrency: int = 8,
        on_reply: Callable[[int, ChatReply | Exception], None] | None = None,
    ) -> list[ChatReply | Exception]:  # fmt: skip
        replies: list[ChatReply | Exception] = []
        for index, request in enumerate(requests):
            replies.append(self.complete(request))
            if on_reply:
                on_reply(index, replies[-1])
        return replies


class WordEmbed:
    """The Embed port: a vector that counts words by hash, so that like words are near."""

    name = "words"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.full((len(texts), 64), 1e-6, np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % 64] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def signed_in(role: str, member: str) -> Any:
    """Act as a member of the project default, in production."""
    return access.acting_as(Caller(member, f"key-of-{member}", "default", "production", role, ROLES[role]))


def fill(platform: Platform) -> dict[str, str]:
    """Fill the project; return the names that tests look for."""
    with signed_in("admin", "ann"):
        dataset, answers = make_dataset(platform)
        platform.chat_port = ScriptedChat(answers)
        prompt = make_prompt(platform)
        base, tuned = make_models(platform, dataset)
        under_way = make_runs_of_experiments(platform, dataset, prompt, base)
        tune = make_runs(platform, dataset, base, tuned)
        ids = make_experiments(platform, dataset, prompt, base, tuned)
        make_scorers(platform, base, ids[0])
        release = make_releases(platform, base, tuned, prompt, ids)
        more = make_more_experiments(platform, dataset, prompt, base, tuned)
        make_scores_by_people(platform, *ids)
        make_deployment(platform)
        trace = make_traces(platform, tuned, prompt)
        make_alert(platform)
        make_canaries(platform)
        more |= make_load_tests(platform)
        more |= make_gateway(platform)
        more |= make_queues(platform)
        more |= make_attacks(platform, base, tuned, trace)
        more |= make_watch(platform)
        more |= make_explored(platform)
    make_staging(platform)
    return {"dataset": dataset, "trace": trace, "run": tune, "release": release, "experiment": ids[1],
            "baseline": ids[0], "under_way": under_way, **more}  # fmt: skip


def make_dataset(platform: Platform) -> tuple[str, dict[str, str]]:
    """Import and profile 240 rows; return the reference and the right answers by question."""
    from mainspring.data.service import Datasets, Profiles

    draw = random.Random(7)
    answers, lines = {}, []
    for number in range(240):
        kind, package = KINDS[number % 4], PACKAGES[draw.randrange(4)]
        question = f"{package}.item_{number}(value, *, strict=False): handles item {number} " + "gently " * (number % 9)
        if number % 40 == 0:
            question += f"Written by someone{number}@example.org."
        answers[question] = ANSWER.format(summary=f"Handle item {number}.", kind=kind, package=package)
        row = {
            "id": f"r{number:04}",
            "messages": [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answers[question]},
            ],
            "reference": json.loads(answers[question]),
            "label": package,
            "group": f"{package}.{number % 40}",
            "split": "test" if number % 4 == 3 else "train",
            "meta": {"license": "PSF-2.0" if number % 5 else "MIT", "module": package},
        }
        lines.append(json.dumps(row))
    stored = keep_file(platform, "\n".join(lines).encode())
    made = Datasets(platform).import_("docstrings", stored.sha256, note="standard library, first pass")
    less = keep_file(platform, "\n".join(lines[:-8]).encode())
    made = Datasets(platform).import_("docstrings", less.sha256, note="without the tail")
    Profiles(platform).create(made.ref)
    return made.ref, answers


def make_prompt(platform: Platform) -> str:
    """Commit two versions of a prompt with a schema, and label them."""
    from mainspring.prompts.models import Message
    from mainspring.prompts.service import Prompts

    schema = {"type": "object", "required": ["summary", "kind", "package"],
              "properties": {name: {"type": "string"} for name in ("summary", "kind", "package")}}  # fmt: skip
    service = Prompts(platform)
    for text in ("Describe this as JSON.", "Describe this as JSON with summary, kind and package."):
        messages = [Message(role="system", content=text), Message(role="user", content="{{question}}")]
        made = service.commit("docs", messages, schema=schema, note=text)
    service.label("docs", "staging")
    service.label("docs", "production")
    return made.ref


def gguf(adapter: bool) -> bytes:
    """A tiny, whole GGUF file."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    pairs = {"general.architecture": "llama", "general.name": "tiny", "general.license": "apache-2.0",
             "tokenizer.chat_template": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% endfor %}",
             "general.type": "adapter" if adapter else "model"}  # fmt: skip
    body = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs) + 1)
    for key, value in pairs.items():
        body += text(key) + struct.pack("<I", 8) + text(value)
    body += text("llama.context_length") + struct.pack("<II", 4, 8192)
    body += text("blk.0.w") + struct.pack("<IQQIQ", 2, 4, 8, 0, 0)
    body += b"\0" * (-len(body) % 32)
    return body + struct.pack("<32f", *[0.5] * 32)


def make_models(platform: Platform, dataset: str) -> tuple[str, str]:
    """Register a base model and an adapter over it that came from the dataset."""
    from mainspring.registry.service import Models

    service = Models(platform)
    base = service.import_("smollm2", keep_file(platform, gguf(False)).sha256, note="Instruct, 135 million weights")
    tuned = service.import_("docs-lora", keep_file(platform, gguf(True)).sha256, base=base.ref, license="Apache-2.0")
    service.alias("docs-lora", "production", number=1, note="first good one")
    with platform.begin() as tx:
        run = runs.create(tx, "tune.sft", {"dataset": dataset, "base": base.ref, "name": "docs-lora"}, [dataset])
        lineage.link(tx, run.id, inputs=[base.ref], outputs=[tuned.ref])
    return base.ref, tuned.ref


def make_runs(platform: Platform, dataset: str, base: str, tuned: str) -> str:
    """Finish one tuning run with its curve, leave one under way, fail one; return the finished one's id."""
    with platform.read() as tx:
        found, _ = runs.list_(tx, kind="tune.sft")
    done = found[0].id
    _play(platform, done, steps=70)
    _settle(platform, done, "succeeded", result={"model": tuned, "loss": 1.12, "parity": True, "seconds": 171.4})
    with platform.begin() as tx:
        running = runs.create(tx, "tune.sft", {"dataset": dataset, "base": base, "name": "docs-lora-2"}, [dataset])
        failed = runs.create(tx, "recipe.run", {"dataset": dataset, "name": "clean"}, [dataset])
    _play(platform, running.id, steps=31)
    _settle(platform, running.id, "running")
    error = {"code": "invalid", "message": "Step 3 of the recipe names no field 'bodyy'.", "hint": "Fields: text."}
    _settle(platform, failed.id, "failed", error=error)
    return done


def _play(platform: Platform, run_id: str, steps: int) -> None:
    draw = random.Random(steps)
    with platform.begin() as tx:
        runs.log(tx, run_id, "log", {"text": "1,412 rows, 70 steps of 8, LoRA r16 on the last 15 layers"})
        for step in range(1, steps + 1):
            loss = 0.9 + 1.6 * math.exp(-step / 14) + draw.uniform(-0.08, 0.08)
            speed = 280 + draw.uniform(-20, 20)
            metrics = {"loss": loss, "learning_rate": 7e-4 * (1 - step / 70), "tokens_per_second": speed}
            body = {"done": step, "total": 70, "message": f"step {step} of 70", "metrics": metrics}
            runs.log(tx, run_id, "progress", body)
        tx.execute(update(run_table).where(run_table.c.id == run_id).values(progress=body))
        if steps == 70:
            runs.log(tx, run_id, "log", {"text": "exported adapter: safetensors 9.9 MB, GGUF 9.8 MB"})


def _settle(platform: Platform, run_id: str, state: str, **values: Any) -> None:
    with platform.begin() as tx:
        if state != "running":
            values["finished_at"] = tx.now
        changes = {"state": state, "attempt": 1, "started_at": tx.now - timedelta(seconds=171), **values}
        tx.execute(update(run_table).where(run_table.c.id == run_id).values(**changes))


def make_experiments(platform: Platform, dataset: str, prompt: str, base: str, tuned: str) -> list[str]:
    """Score the base and the tuned model on the test rows; return the ids of both."""
    from mainspring.evals.service import Experiments, Suites

    Suites(platform).create("docs", dataset, ["json", "schema", "field:package"], note="what a release has to pass")
    service = Experiments(platform)
    options: dict[str, Any] = {"prompt": prompt, "scorers": ["json", "schema", "field:package", "rougeL:summary"]}
    targets = {"zero-shot": base, "tuned": tuned}
    return [service.run(dataset, model, name=name, **options).id for name, model in targets.items()]


def make_scorers(platform: Platform, base: str, experiment: str) -> None:
    """Make two judges and a scorer in Python; calibrate one judge on 40 rows that somebody scored."""
    from mainspring.evals.scorer_service import Scorers
    from mainspring.evals.service import Experiments
    from mainspring.traces.service import Scores

    service = Scorers(platform)
    service.create_judge("form", base, "A good answer is JSON with summary, kind and package.", note="first")
    service.create_judge("graded", base, "Grade the summary.", scale=["bad", "fair", "good"], shows=["reference"])
    service.create_code("short", "def score(answer, reference, question, contexts):\n    return len(answer) < 200")
    for number, row in enumerate(Experiments(platform).rows(experiment, limit=40).items):
        right = (row.scores["json"] == 1) != (number % 13 == 5)
        Scores(platform).create("quality", trace_id=row.trace_id, label="pass" if right else "fail")
    service.calibrate("form", experiment)


def make_releases(platform: Platform, base: str, tuned: str, prompt: str, ids: list[str]) -> str:
    """One approved, one in review, one draft; return the name."""
    from mainspring.evals.service import Experiments
    from mainspring.registry import load_release, releases
    from mainspring.registry.service import Releases
    from mainspring.safety.models import Rule
    from mainspring.safety.service import Guards

    rules = [Rule(detector="pii", action="mask"), Rule(detector="injection", action="block")]
    guard = Guards(platform).create("usual", rules)
    service = Releases(platform)
    pins: dict[str, Any] = {"prompt": prompt, "guard": guard.ref}
    first = service.create("docs", model=base, note="the untuned model", **pins)
    second = service.create("docs", model=tuned, note="tuned on docstrings", **pins)
    service.create("docs", model=tuned, prompt=prompt, note="without a guard")
    where = {"dataset": "dataset/docstrings@2", "split": "test", "constrained": False, "baseline_target": base,
             "baseline_prompt": prompt, "candidate_experiment": ids[1], "baseline_experiment": ids[0]}  # fmt: skip
    compared = [one.model_dump(mode="json") | where for one in Experiments(platform).compare(*ids).metrics]
    for release in (first, second):
        checks = [
            {"name": "evidence", "passed": True, "summary": "Better on 3 metrics, worse on none.",
             "detail": {"comparisons": compared, "better": ["json"]}},
            {"name": "parity", "passed": True, "summary": "Trainer and server agree (0.018 nats).",
             "detail": {"mean_difference": 0.002, "max_difference": 0.018}},
            {"name": "leakage", "passed": True, "summary": "No test row is near a training row.", "detail": {}},
        ]  # fmt: skip
        report = {"release": release.ref, "passed": True, "checks": checks, "policy": {},
                  "candidate": [ids[1]], "baseline": [ids[0]]}  # fmt: skip
        with platform.begin() as tx:
            releases.move(tx, load_release(tx, release.ref), "checked", "in_review", detail=report)
    with signed_in("admin", "bea"), platform.begin() as tx:
        releases.move(tx, load_release(tx, first.ref), "approved", "approved", note="Good enough to begin with.")
    return "docs"


def make_deployment(platform: Platform) -> None:
    """Put the approved release into production."""
    from mainspring.serving.service import Deployments

    with signed_in("admin", "bea"):
        Deployments(platform).create("docs", "release/docs@1", note="first")


def make_traces(platform: Platform, tuned: str, prompt: str) -> str:
    """Append 400 traces over the last day, one of them with tools and a failure; return that one's id."""
    now = int(platform.clock.now().timestamp() * 1e9)
    draw = random.Random(3)
    spans = [_call(now - int(draw.random() ** 2 * 86_400e9), number, draw, tuned, prompt) for number in range(400)]
    chosen = f"{1_000_000:032x}"
    spans += _agent(chosen, now - 30_000_000_000, tuned)
    platform.spans.append(spans)
    platform.spans.flush()
    from mainspring.traces.service import Scores

    words = {"comment": "The package is wrong.", "correction": '{"package": "json"}'}
    Scores(platform).create("thumbs", trace_id=chosen, number=0, **words)
    return chosen


def make_alert(platform: Platform) -> None:
    """Watch the error rate with a threshold that the traces are over."""
    from mainspring.monitoring.service import Monitors

    settings = {"max_share": 0.001, "min_calls": 10}
    Monitors(platform).create("errors", "error_rate", target="docs", settings=settings, window_minutes=1440)
    Monitors(platform).run("errors")


def _call(start: int, number: int, draw: random.Random, model: str, prompt: str) -> Span:
    took = int(draw.gammavariate(3, 90) * 1e6)
    failed = number % 37 == 0
    common = {"project": "default", "environment": "production", "service": "gateway", "deployment": "docs"}
    return Span(
        trace_id=f"{number + 1:032x}", span_id=f"{number + 1:016x}", **common, name="chat docs", kind="chat",
        start_ns=start, end_ns=start + took, status="error" if failed else "ok",
        status_message="The engine did not answer in time." if failed else "",
        model=model, release="release/docs@1", prompt=prompt, session_id=f"s{number % 20}", user_id=f"u{number % 9}",
        input_tokens=50 + number % 40, output_tokens=0 if failed else 20 + number % 12, cost=0.00001 * (1 + number % 5),
        ttft_ms=25 + draw.random() * 20,
        input=said("user", f"pathlib.Path.item_{number}(): opens item {number}"),
        output=None if failed else said("assistant", ANSWER.format(summary="It.", kind="method", package="json")),
        attributes=_guarded(number),
    )  # fmt: skip


def _guarded(number: int) -> dict[str, Any]:
    action, detector, kind = {3: ("mask", "pii", "email"), 4: ("block", "injection", "override")}.get(
        number % 25, ("allow", "", "")
    )
    hit = {"stage": "input", "source": "user", "detector": detector, "kind": kind, "score": 0.98}
    told = {"mainspring.guard": "guard/usual@1", "mainspring.guard.action": action, "mainspring.guard.ms": 0.21}
    return told | ({"mainspring.guard.hits": [hit]} if detector else {})


def said(role: str, text: str) -> list[dict[str, Any]]:
    """One message as OpenTelemetry writes it."""
    return [{"role": role, "parts": [{"type": "text", "content": text}]}]


def _agent(trace: str, start: int, model: str) -> list[Span]:
    common: dict[str, Any] = {"trace_id": trace, "project": "default", "environment": "production", "service": "helper"}

    def span(number: int, parent: int, name: str, kind: str, at: int, ms: int, **more: Any) -> Span:
        return Span(span_id=f"{number:016x}", parent_id=f"{parent:016x}" if parent else "", name=name, kind=kind,
                    start_ns=start + at * 1_000_000, end_ns=start + (at + ms) * 1_000_000,
                    **{"status": "ok", **common, **more})  # fmt: skip

    question, answer = said("user", "Which package reads JSON?"), said("assistant", '{"package": "simplejson"}')
    tool = {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"q": "json"}}
    call = [{"role": "assistant", "parts": [tool]}]
    asked = {"model": model, "release": "release/docs@1", "deployment": "docs", "cost": 0.00004, "output_tokens": 15}
    return [
        span(101, 0, "invoke_agent helper", "invoke_agent", 0, 1900, input=question, output=answer),
        span(102, 101, "chat docs", "chat", 20, 420, input=question, output=call, input_tokens=81, **asked),
        span(103, 101, "execute_tool search", "execute_tool", 460, 610, status="error", status_message="timed out",
             attributes={"gen_ai.tool.name": "search"}),
        span(104, 103, "GET /search", "span", 480, 580, status="error"),
        span(105, 101, "embeddings minilm", "embeddings", 1080, 60),
        span(106, 101, "chat docs", "chat", 1150, 720, input=question, output=answer, input_tokens=160, ttft_ms=44.0,
             **asked),
    ]  # fmt: skip

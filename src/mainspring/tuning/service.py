"""Operations of tuning, and of the runs of every room."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from mainspring.kernel import access, runs, versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, Record, RefText
from mainspring.kernel.runs import FINISHED, Run, RunEvent, RunState
from mainspring.kernel.service import Service
from mainspring.prompts import load as load_prompt
from mainspring.registry import load as load_model
from mainspring.tuning.models import SftConfig

RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{8,64}$")]
Kind = Annotated[str, StringConstraints(max_length=100)]
After = Annotated[int, Field(ge=0)]
_LOOK_SECONDS = 0.25
_ERASURES = "erasure."


class RunNews(Record):
    """A run as it is now, and what was logged since."""

    run: Run
    events: list[RunEvent]
    after: int
    """Give it as `after` to be told what comes next."""


class Tunes(Service):
    """Fine-tuning."""

    noun = "tune"

    @operation("POST /tunes/sft", permission="tune.write", status=202)
    def sft(self, dataset: RefText, base: RefText, *, name: Name, config: SftConfig | None = None) -> Run:
        """Fine-tune a model on the answers of a dataset, with LoRA.

        The result is a version of the model `name`: an adapter over `base` in PEFT's format and as GGUF, and where
        `config.merged` says so, both in one f16 GGUF; trainer and server are compared on each. Raises NotFound,
        Invalid.
        """
        settings = checked_config(config)
        with self.begin() as tx:
            rows = versions.resolve(tx, dataset, "dataset")
            model = load_model(tx, versions.resolve(tx, base, "model").ref)
            if model.format != "gguf":
                raise Invalid(f"{model.ref} is not a whole GGUF model.", hint="Tune the model below it.")
            inputs = [rows.ref, model.ref]
            if settings.prompt:
                prompt = load_prompt(tx, versions.resolve(tx, settings.prompt, "prompt").ref)
                settings = settings.model_copy(update={"prompt": prompt.ref})
                inputs.append(prompt.ref)
        params = {"dataset": rows.ref, "base": model.ref, "name": name, "config": settings.model_dump()}
        return self.start_run("tune.sft", params, inputs=inputs)


class Runs(Service):
    """Runs: long work of every room."""

    noun = "run"

    @operation("GET /runs", permission="run.read", mcp=True)
    def list_(
        self, *, kind: Kind = "", state: RunState | None = None, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[Run]:
        """List runs, newest first."""
        with self.read() as tx:
            found, following = runs.list_(tx, kind=kind, state=state or "", limit=limit, cursor=cursor)
        return Page[Run](items=found, next_cursor=following)

    @operation("GET /runs/{run_id}", permission="run.read", mcp=True)
    def get(self, run_id: RunId) -> Run:
        """Show a run: its state, its progress, and its result or error."""
        with self.read() as tx:
            return runs.get(tx, run_id)

    @operation("GET /runs/{run_id}/logs", permission="run.read", mcp=True)
    def logs(self, run_id: RunId, *, after: After = 0, limit: Limit = 100) -> list[RunEvent]:
        """List what a run logged after a sequence number, oldest first: lines, and points of its metrics."""
        with self.read() as tx:
            return list(runs.events_of(tx, run_id, after=after, limit=limit))

    @operation("GET /runs/{run_id}/follow", permission="run.read")
    def follow(self, run_id: RunId, *, after: After = 0, seconds: Annotated[float, Field(ge=0, le=20)] = 10) -> RunNews:
        """Wait until a run logs something or ends, for some seconds at most, and say what is new."""
        until = time.monotonic() + seconds
        while True:
            with self.read() as tx:
                run = runs.get(tx, run_id)
                events = list(runs.events_of(tx, run_id, after=after, limit=1000))
            if events or run.state in FINISHED or time.monotonic() >= until:
                return RunNews(run=run, events=events, after=events[-1].seq if events else after)
            time.sleep(_LOOK_SECONDS)  # a long poll: no row wakes its reader in every database

    @operation("POST /runs/{run_id}/cancel", permission="run.write")
    def cancel(self, run_id: RunId) -> Run:
        """Ask a run to stop: at once where it waits, at its next step where it is under way.

        An erasure is stopped only by who may ask for one.
        """
        with self.begin() as tx:
            kind = runs.get(tx, run_id).kind
            if kind.startswith(_ERASURES):
                access.require(self.caller, starting(kind))
            run = runs.cancel(tx, run_id)
        if self.platform.runner_port is not None:
            self.platform.runner.cancel(run_id)
        return run

    @operation("POST /runs/{run_id}/resume", permission="run.write", status=202)
    def resume(self, run_id: RunId) -> Run:
        """Let a run that failed or was cancelled go on from its last finished step or checkpoint.

        It takes the permission that starting it took, too.
        """
        with self.begin() as tx:
            access.require(self.caller, starting(runs.get(tx, run_id).kind))
            run = runs.resume(tx, run_id)
        if not self.platform.writing and self.platform.runner_port is not None:
            self.platform.runner.submit(run_id)
            with self.read() as tx:
                return runs.get(tx, run_id)
        return run


def starting(kind: str) -> str:
    """Return the permission that starting a run of a kind takes: that to write what it is a run of."""
    return f"{kind.partition('.')[0]}.write"


def checked_config(config: SftConfig | None) -> SftConfig:
    """Return the settings, validated where a local caller passed plain values. Raises Invalid, naming the field."""
    try:
        return SftConfig.model_validate(config or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("config", *(str(part) for part in first["loc"])))
        raise Invalid(f"{where}: {first['msg']}") from None

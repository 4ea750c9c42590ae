"""Operations of load tests."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import Field, StringConstraints

from mainspring.evals import remote
from mainspring.kernel import runs
from mainspring.kernel.access import require
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.platform import Platform
from mainspring.kernel.records import Cursor, Limit, Page
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service
from mainspring.serving import deployments, loads
from mainspring.serving.loads import LoadComparison, LoadTest, Sample, SloText
from mainspring.workspace import require_asked

KIND = "loadtest.run"
Rate = Annotated[float, Field(gt=0, le=10_000)]
Rates = Annotated[list[Rate], Field(min_length=1, max_length=20)]
Clients = Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(min_length=1, max_length=20)]
Prompts = Annotated[list[Annotated[str, Field(min_length=1, max_length=20_000)]], Field(min_length=1, max_length=1000)]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
_ASKED = "Write a short paragraph about the sea."


class LoadTests(Service):
    """Load tests: how much a deployment, or any server, bears."""

    noun = "loadtest"

    @operation("POST /loadtests", permission="loadtest.write", status=202)
    def run(
        self,
        *,
        deployment: Annotated[str, Field(max_length=128)] = "",
        url: Annotated[str, Field(max_length=500)] = "",
        rates: Rates | None = None,
        concurrency: Clients | None = None,
        seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0,
        slo: SloText = "",
        prompts: Prompts | None = None,
        max_tokens: Annotated[int, Field(ge=1, le=8192)] = 64,
        seed: Annotated[int, Field(ge=0, le=2**31)] = 0,
    ) -> Run:
        """Send streamed chats to a deployment through the gateway, or to a server by URL, and time every token.

        `rates` are levels of open load, requests a second that arrive at random times (Poisson); `concurrency` are
        levels of closed load, clients that ask again once they were answered. Each level lasts `seconds`. `slo` names
        objectives in milliseconds, `ttft=500,itl=50,e2e=5000`: goodput counts the requests that met them all. A URL is
        written `https://host/v1#model`, under the same rules as the targets of experiments. The run's result is the
        load test. Raises Invalid, NotFound, Denied.
        """
        if bool(deployment) == bool(url):
            raise Invalid("A load test asks one target.", hint="Give a deployment or a URL.")
        if (rates is None) == (concurrency is None):
            raise Invalid("A load test has one kind of arrivals.", hint="Give rates (open) or concurrency (closed).")
        levels = sorted({float(one) for one in (rates if rates is not None else concurrency or [])})
        params: dict[str, Any] = {
            "deployment": deployment,
            "url": url,
            "arrivals": "closed" if rates is None else "open",
            "levels": levels,
            "seconds": seconds,
            "slo": loads.objectives(slo),
            "prompts": prompts or [_ASKED],
            "max_tokens": max_tokens,
            "seed": seed,
        }
        inputs: list[str] = []
        if url:
            remote.find(url, self.platform.settings)
        else:
            require(self.caller, "deployment.use")
            require_asked(self.caller, deployment)
            with self.read() as tx:
                inputs = [deployments.get(tx, tx.caller.environment, deployment).baseline]
        return self.start_run(KIND, params, inputs=inputs)

    @operation("GET /loadtests", permission="loadtest.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[LoadTest]:
        """List the load tests that have ended well, newest first."""
        with self.read() as tx:
            found, following = runs.list_(tx, kind=KIND, state="succeeded", limit=limit, cursor=cursor)
        return Page[LoadTest](items=[LoadTest(**run.result) for run in found], next_cursor=following)

    @operation("GET /loadtests/{run_id}", permission="loadtest.read", mcp=True)
    def get(self, run_id: RunId) -> LoadTest:
        """Show a load test, level by level."""
        with self.read() as tx:
            run = runs.get(tx, run_id)
        if run.kind != KIND:
            raise Invalid(f"Run {run_id} is no load test.", hint="`mainspring loadtest list` shows them.")
        if run.state != "succeeded":
            raise Conflict(f"The load test {run_id} is {run.state}.", hint=f"`mainspring run get {run_id}`.")
        return LoadTest(**run.result)

    @operation("GET /loadtests/{run_id}/compare/{baseline}", permission="loadtest.read", mcp=True)
    def compare(
        self, run_id: RunId, baseline: RunId, *, level: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95
    ) -> LoadComparison:
        """Compare a load test with one of another release: quantiles of each time, as ratios with intervals."""
        mine, theirs = self.get(run_id), self.get(baseline)
        if (mine.max_tokens, mine.prompts) != (theirs.max_tokens, theirs.prompts):
            raise Conflict("The two load tests asked different things.", hint="Run both with the same prompts.")
        kept = {one.samples for test in (mine, theirs) for one in test.levels}
        return loads.compare(theirs, mine, {sha: samples(self.platform, sha) for sha in kept}, confidence=level)


def keep(platform: Platform, found: list[Sample]) -> str:
    """Store every request of a level; return the file's SHA-256."""
    return platform.files.put(msgspec.json.encode(found)).sha256


def samples(platform: Platform, sha256: str) -> list[Sample]:
    """Return the requests of a level, in order of when they were due. Raises NotFound."""
    return msgspec.json.decode(platform.files.read(sha256), type=list[Sample])

"""Operations of red teaming."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mainspring.evals.models import MaxTokens, Seed
from mainspring.evals.plan import check_price
from mainspring.evals.redteam import aim as aims
from mainspring.evals.redteam import installed, own, report, store
from mainspring.evals.redteam import packs as found_packs
from mainspring.evals.redteam.models import AttackResult, Outcome, PackInfo, RedTeam, RedTeamComparison
from mainspring.evals.scoring import pinned
from mainspring.evals.service import Level, Named, TargetText
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, Text, sliced
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service

Words = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)]
Word = Annotated[str, Field(max_length=200)]
_REGISTERED = (own, installed)
"""Modules whose import registers packs."""


class RedTeams(Service):
    """Red teaming: attacks on a target, by family, with what came through."""

    noun = "redteam"

    @operation("POST /redteams", permission="redteam.write", status=202)
    def run(
        self,
        target: TargetText,
        *,
        packs: Words | None = None,
        families: Words | None = None,
        limit: Annotated[int, Field(ge=1, le=10_000)] | None = 40,
        seed: Seed = 0,
        max_tokens: MaxTokens = 200,
        prompt: RefText | None = None,
        judge: Word = "",
        concurrency: Annotated[int, Field(ge=1, le=256)] = 8,
        max_calls: Annotated[int, Field(ge=1, le=10_000_000)] | None = None,
        max_cost: Annotated[float, Field(gt=0, le=1e6)] | None = None,
        fail_over: Annotated[float, Field(ge=0, le=1)] | None = None,
        name: Name | None = None,
        note: Text = "",
    ) -> Run:
        """Attack a target, and say by family which share came through, each with its interval.

        `target` is `deployment/…`, `release/…`, `model/…`, or a server by URL, `https://host/v1#model`. `packs` are
        our own where none is named; `redteam packs` lists them. `limit` bounds the attacks of a family, drawn by the
        seed, the same for every target. `prompt` names the prompt behind a deployment or a URL, whose words then must
        not be given away. `judge` names a judge whose upper half of the scale says that an answer resisted; it decides
        what nothing else shows. `max_calls` and `max_cost` (US dollars) end the run early. `fail_over` fails it with
        GateFailed where in any family a larger share came through; the result is kept. Raises Invalid, NotFound,
        MissingExtra.
        """
        chosen = list(dict.fromkeys(packs or [own.NAME]))
        for one in chosen:
            found_packs.version(one)
        with self.read() as tx:
            aim = aims.take(tx, target, prompt or "", max_tokens)
            exact = pinned(tx, [f"judge:{judge.removeprefix('judge:')}"])[0].partition(":")[2] if judge else ""
            if max_cost is not None:
                check_price(tx, aim.model or aim.target.partition("#")[2], aim.target)
        self._check(chosen, families or [], aim)
        params: dict[str, Any] = {
            "target": aim.target,
            "packs": chosen,
            "families": list(families or []),
            "limit": limit,
            "seed": seed,
            "max_tokens": max_tokens,
            "prompt": aim.prompt if prompt else "",
            "judge": exact,
            "concurrency": concurrency,
            "max_calls": max_calls,
            "max_cost": max_cost,
            "fail_over": fail_over,
            "name": name or "",
            "note": note,
        }
        return self.start_run(store.KIND, params, inputs=aim.inputs)

    def _check(self, chosen: list[str], families: list[str], aim: aims.Aim) -> None:
        """Raise what would fail the run, before it starts."""
        every = [attack for name in chosen for attack in found_packs.read(name, aim.world)]
        found_packs.choose(every, families, 1, 0)

    @operation("GET /redteams/packs", permission="redteam.read", mcp=True)
    def packs(self) -> list[PackInfo]:
        """List the packs of attacks: our own, and those of packages, with how many attacks there are by family."""
        return [found_packs.info(name) for name in found_packs.names()]

    @operation("GET /redteams", permission="redteam.read", mcp=True)
    def list_(self, *, name: Word = "", target: Word = "", limit: Limit = 100, cursor: Cursor = "") -> Page[RedTeam]:
        """List runs of attacks, newest first, of one name or target where these are given."""
        with self.read() as tx:
            found, following = store.page(tx, name=name, target=target, limit=limit, cursor=cursor)
        return Page(items=found, next_cursor=following)

    @operation("GET /redteams/compare", permission="redteam.read", mcp=True)
    def compare(self, baseline: Named, candidate: Named, *, level: Level = 0.95) -> RedTeamComparison:
        """Compare two runs attack by attack, such as those on two releases: differences by family, with intervals.

        Each is named by its id, or by its name for the latest. Only attacks that both made, and that are decided in
        both, take part. Raises Invalid where there is none, NotFound.
        """
        with self.read() as tx:
            left, right = store.load(tx, baseline), store.load(tx, candidate)
        files = self.platform.files
        return report.compared(left, right, store.read(files, left.file), store.read(files, right.file), level=level)

    @operation("GET /redteams/{id}", permission="redteam.read", mcp=True)
    def get(self, id: Named) -> RedTeam:
        """Show a run of attacks by its id, or the latest of a name."""
        with self.read() as tx:
            return store.load(tx, id)

    @operation("GET /redteams/{id}/attacks", permission="redteam.read", mcp=True)
    def attacks(
        self,
        id: Named,
        *,
        family: Word = "",
        outcome: Outcome | None = None,
        query: Word = "",
        limit: Limit = 100,
        cursor: Cursor = "",
    ) -> Page[AttackResult]:
        """List attacks with what came of them and what showed it, in their order."""
        with self.read() as tx:
            found = store.load(tx, id)
        wanted = query.lower()
        kept = [
            one
            for one in store.read(self.platform.files, found.file)
            if (not family or one.family == family)
            and (outcome is None or one.outcome == outcome)
            and (not wanted or wanted in f"{one.messages} {one.answer} {one.technique} {one.id}".lower())
        ]
        return sliced(kept, limit, cursor)

    @operation("DELETE /redteams/{id}", permission="redteam.write")
    def delete(self, id: Named) -> None:
        """Delete a run of attacks with the answers that it paid for. Raises NotFound."""
        with self.begin() as tx:
            found = store.load(tx, id)
            alone = store.remove(tx, found)
        if alone:
            self.platform.files.delete(found.file)

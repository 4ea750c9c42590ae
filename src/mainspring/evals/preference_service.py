"""Operations on preferences: which of two experiments a judge finds better."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mainspring.evals import store
from mainspring.evals.preference import Preference, PreferenceRow, Winner
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, Limit, Name, Page, RefText, decode_cursor, encode_cursor
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service

Named = Annotated[str, Field(min_length=1, max_length=128)]
"""An experiment's id, or its name for the latest."""


class Preferring(Service):
    """What experiments can be asked about a pair of them."""

    noun = "experiment"

    @operation("POST /experiments/preferences", permission="experiment.write", status=202)
    def prefer(
        self,
        baseline: Named,
        candidate: Named,
        judge: Name,
        *,
        selector: Annotated[str, Field(max_length=100)] = "",
        limit: Annotated[int, Field(ge=1, le=100_000)] | None = None,
        max_calls: Annotated[int, Field(ge=2, le=10_000_000)] | None = None,
        max_cost: Annotated[float, Field(gt=0, le=1e6)] | None = None,
    ) -> Run:
        """Have a judge of pairs say, row by row, which of two experiments answers better.

        Each pair is shown in both orders; where these disagree it is a tie, as it is where the answers are the same.
        `limit` takes the first rows that both have; `max_calls` and `max_cost` (US dollars) end the run with the rows
        that were judged. The run's result is the preference: win rate, interval and verdict. Raises Invalid, NotFound.
        """
        from mainspring.evals import judging, preference
        from mainspring.evals.scorers.judges import load

        with self.read() as tx:
            ref, held = load(tx, f"{judge}@{selector}" if selector else judge)
            left, right = store.load(tx, baseline), store.load(tx, candidate)
            if not held.pair:
                raise Invalid(f"{ref} judges one answer at a time.", hint="Create it with --pair.")
            if left.id == right.id:
                raise Invalid("An experiment is not better than itself.", hint="Name two experiments.")
            if max_calls is not None and max_calls < held.calls:
                raise Invalid(f"{max_calls} calls are too few: one row takes {held.calls}.")
            if max_cost is not None:
                judging.check_price(tx, held.model)
        preference.shared(self.platform.files, left, right)
        params = {"baseline": left.id, "candidate": right.id, "judge": ref, "limit": limit}
        return self.start_run(preference.KIND, {**params, "max_calls": max_calls, "max_cost": max_cost}, inputs=[ref])

    @operation("GET /experiments/preferences", permission="experiment.read", mcp=True)
    def preferences(
        self, baseline: Named, candidate: Named, *, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[Preference]:
        """List what judges preferred of two experiments, newest first. Raises NotFound."""
        from mainspring.evals import preference

        with self.read() as tx:
            found, following = preference.page(tx, baseline, candidate, limit, cursor)
        return Page(items=found, next_cursor=following)

    @operation("GET /experiments/preferences/rows", permission="experiment.read", mcp=True)
    def preferred(
        self, ref: RefText, *, winner: Winner | None = None, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[PreferenceRow]:
        """List the rows of a preference with what the judge said, those that one side won where `winner` names it.

        Raises NotFound.
        """
        from mainspring.evals import preference

        with self.read() as tx:
            file = preference.shown(versions.resolve(tx, ref, preference.STORED)).file
        key = decode_cursor(cursor) if cursor else "0"
        if not key.isdigit():
            raise Invalid("The cursor is not valid.", hint="Use next_cursor of the page before, unchanged.")
        rows = [one for one in preference.read_rows(self.platform.files, file) if winner in (None, one.winner)]
        end = int(key) + limit
        return Page(items=rows[int(key) : end], next_cursor=encode_cursor(str(end)) if end < len(rows) else None)

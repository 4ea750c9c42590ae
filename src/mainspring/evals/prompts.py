"""Operations on prompts that need evaluation: the room below knows no scorer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mainspring import prompts
from mainspring.evals.models import RowLimit, Seed, SplitName
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Name, RefText
from mainspring.kernel.runs import Run

_Target = Annotated[str, Field(min_length=1, max_length=300)]


class Prompts(prompts.Prompts):
    """Prompts: templates in versions that never change, labels that move, and proposals of better ones."""

    @operation("POST /prompts/{name}/optimize", permission="prompt.write", status=202)
    def optimize(
        self,
        name: Name,
        dataset: RefText,
        target: _Target,
        *,
        scorer: Annotated[str, Field(min_length=1, max_length=300)],
        selector: Annotated[str, Field(max_length=100)] = "",
        method: Literal["few-shot", "instruction", "both"] = "both",
        proposer: _Target | None = None,
        train_split: SplitName = "train",
        test_split: SplitName = "test",
        front: Annotated[int, Field(ge=4, le=500)] = 30,
        candidates: Annotated[int, Field(ge=1, le=100)] = 8,
        shots: Annotated[int, Field(ge=1, le=16)] = 3,
        limit: RowLimit = 200,
        max_calls: Annotated[int, Field(ge=1, le=1_000_000)] = 2000,
        max_tokens_total: Annotated[int, Field(ge=1, le=10**10)] = 10_000_000,
        max_cost: Annotated[float, Field(gt=0, le=1e6)] | None = None,
        concurrency: Annotated[int, Field(ge=1, le=256)] = 8,
        seed: Seed = 0,
    ) -> Run:
        """Search a better version of a prompt on training rows, judge it on held-out rows, and propose it.

        `target` (a model or a URL) answers, and `scorer` says how well. `few-shot` tries `candidates` sets of `shots`
        training rows as examples; `instruction` lets `proposer` (by default the target) reflect on rows that went wrong
        and rewrite the system message. Candidates are scored on `front` training rows. The best is committed without a
        label and compared with the prompt on `limit` rows of the test split, which the search never saw. `max_calls`,
        `max_tokens_total` (of the search) and `max_cost` (US dollars) bound it, judges' calls included.
        Raises Invalid, NotFound.
        """
        from mainspring.evals import optimise

        asked = {
            "prompt": f"prompt/{name}@{selector}" if selector else f"prompt/{name}",
            "dataset": dataset,
            "target": target,
            "proposer": proposer or "",
            "scorer": scorer,
            "method": method,
            "train_split": train_split,
            "test_split": test_split,
            "front": front,
            "candidates": candidates,
            "shots": shots,
            "limit": limit,
            "max_calls": max_calls,
            "max_tokens_total": max_tokens_total,
            "max_cost": max_cost,
            "concurrency": concurrency,
            "seed": seed,
        }
        with self.read() as tx:
            params, inputs = optimise.params(tx, asked)
        return self.start_run(optimise.KIND, params, inputs=inputs)
